"""Damaged files: whatever is wrong in them is told, and never a traceback."""

from __future__ import annotations

from pathlib import Path

from compressed_rtf import compress
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from raglive.pipeline.extraction.model import Limits, Refusal
from raglive.pipeline.extraction.reading import read_file
from tests.integration.pipeline.extraction import outlook

LIMITS = Limits(max_file_bytes=2_000_000, max_text_chars=1_000_000)
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

MUTATIONS = st.lists(
    st.tuples(
        st.integers(8, len(WHOLE) - 4),
        st.one_of(
            st.binary(min_size=1, max_size=4),
            st.sampled_from([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xfe\xff\xff\xff", b"\1\0\0\0"]),
        ),
    ),
    min_size=1,
    max_size=8,
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(mutations=MUTATIONS)
@example(mutations=[(44, b"\xff\xff\xff\x7f"), (68, bytes(4)), (72, b"\x08\x04\x02\x01")]).via(
    "tables without end"
)
def test_whatever_is_wrong_in_a_mail_ends_as_a_refusal_or_a_text(
    tmp_path: Path, mutations: list[tuple[int, bytes]]
) -> None:
    data = bytearray(WHOLE)
    for place, wrong in mutations:
        data[place : place + len(wrong)] = wrong
    path = tmp_path / "a.msg"
    path.write_bytes(data)
    outcome = outcome_of(path)
    assert outcome in {"text", "extraction_error", "unsupported", "no_text", "empty", "too_large"}


def outcome_of(path: Path) -> str:
    try:
        text = read_file(path, "a.msg", None, LIMITS).text
    except Refusal as refusal:
        return refusal.code
    assert len(text) < 10 * len(WHOLE)
    return "text"
