"""Damaged files: the error names the damage, and never contains a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from compressed_rtf import compress
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raglive.extraction.file_reader import read_file
from raglive.extraction.model import ExtractionLimits, Refusal
from tests.integration.extraction import documents, outlook, slides97, winmail

LIMITS = ExtractionLimits(max_file_bytes=2_000_000, max_text_chars=1_000_000)
RICH = outlook.mail(data={0x1009: compress(b"{\\rtf1 The lock}")}, is_inner=True, code_page=1252)
WHOLE = outlook.compound(
    outlook.mail(
        {0x0037: "Tides", 0x1000: "High water at six."},
        recipients=[(1, "Anna", "anna@example.org")],
        attached=[
            outlook.inner_mail(RICH),
            outlook.file("a.txt", b"x" * 5_000),
            outlook.link("b"),
        ],
    )
)

WHOLES = {
    "a.msg": WHOLE,
    "a.eml": documents.mail(),
    "winmail.dat": winmail.tnef(
        (winmail.SUBJECT, b"Tides\0"),
        (winmail.PROPERTIES, winmail.properties((0x1013, 0x102, b"<p>High water"))),
        *winmail.attached("berths.csv", b"boat,berth\nAnna,12\n"),
        *winmail.inner_mail(winmail.tnef((winmail.BODY, b"Near the buoy.\0"))),
    ),
    "a.zip": documents.zipped({"a.eml": documents.mail(), "b.zip": documents.zipped({"c": "x"})}),
    "a.tar": documents.tarred({"a.md": b"# Rope", "b.csv": b"boat,berth\nAnna,12\n"}),
    "a.epub": documents.epub("<h1>One</h1><p>Calm"),
    "a.odp": documents.odp(("Tides", "High water", "Say hello")),
    "a.ppt": slides97.ppt([("Tides", "High water", "Say hello"), ("End", "Bye", "")], before="Low"),
    "a.docx": documents.docx("Rope &amp; sail", comment="ask Anna"),
    "a.xlsx": documents.xlsx("Berths", [["boat", "no"], ["Anna", "12"]]),
    "a.pdf": documents.pdf("First page"),
}
ALLOWED = {"text", "extraction_error", "unsupported", "encrypted", "no_text", "empty", "too_large"}

MUTATIONS = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.one_of(
            st.binary(min_size=1, max_size=4),
            st.sampled_from([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xfe\xff\xff\xff", b"\1\0\0\0"]),
        ),
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize("name", WHOLES)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutations=MUTATIONS)
def test_any_damage_ends_as_a_refusal_or_a_text(
    tmp_path: Path, name: str, mutations: list[tuple[float, bytes]]
) -> None:
    data = bytearray(WHOLES[name])
    for share, wrong in mutations:
        place = int(share * len(data))
        data[place : place + len(wrong)] = wrong
    assert outcome_of(tmp_path / name, data) in ALLOWED


def test_tables_that_claim_to_be_endless_are_not_read(tmp_path: Path) -> None:
    data = bytearray(WHOLE)
    for place, wrong in ((44, b"\xff\xff\xff\x7f"), (68, bytes(4)), (72, b"\x08\x04\x02\x01")):
        data[place : place + 4] = wrong
    assert outcome_of(tmp_path / "a.msg", data) == "extraction_error"


def outcome_of(path: Path, data: bytes | bytearray) -> str:
    path.write_bytes(data)
    try:
        text = read_file(path, path.name, None, LIMITS).text
    except Refusal as refusal:
        return refusal.code
    assert len(text) < 100 * len(data)
    return "text"
