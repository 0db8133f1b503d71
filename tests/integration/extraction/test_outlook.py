"""Outlook mails: text, headers and attachments, as of Internet mails."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
import pytest_asyncio
from compressed_rtf import compress

from raglive.extraction.errors import ExtractionFailed
from raglive.extraction.model import Extracted
from raglive.extraction.pool import ExtractorPool
from tests.integration.extraction import documents, outlook
from tests.integration.extraction import winmail as winmail_dat

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUBJECT, BODY, HTML, RTF = 0x0037, 0x1000, 0x1013, 0x1009
SIGNED = (
    b'Content-Type: multipart/signed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n'
    b"Signed at sea.\r\n--b\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\n"
    b"0\r\n--b--\r\n"
)


def letter(*attached: outlook.Tree, text: str = "High water at six.\n") -> outlook.Tree:
    return outlook.mail({SUBJECT: "Tides", BODY: text}, attached=attached)


def same_as_documents_mail() -> bytes:
    """The mail of `documents.mail` in Outlook's format."""
    forwarded = outlook.mail(
        {SUBJECT: "Lost anchor", BODY: "Seen near buoy 7.\n"},
        is_inner=True,
        attached=[outlook.file("berths.csv", b"buoy,depth\n7,12\n", "text/csv")],
    )
    return outlook.compound(
        outlook.mail(
            {
                SUBJECT: "Tides for übermorgen",
                BODY: "High water at six.\n",
                0x0042: "Anna Müller",
                0x5D02: "anna@example.org",
            },
            recipients=[(1, "", "crew@example.org")],
            attached=[
                outlook.file("berths.csv", b"boat,berth\nAnna,12\n", "text/csv"),
                outlook.file("", documents.pdf("Chart of the bay"), "application/pdf"),
                outlook.file("map.png", b"\x89PNG\r\n", "image/png"),
                outlook.inner_mail(forwarded),
            ],
        )
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[ExtractorPool]:
    async with ExtractorPool(1, max_file_bytes=2_000_000, max_text_chars=1_000_000) as made:
        yield made


async def extract(pool: ExtractorPool, folder: Path, data: bytes, name: str = "a.msg") -> Extracted:
    path = folder / name
    path.write_bytes(data)
    return await pool.extract(path)


async def text_of(pool: ExtractorPool, folder: Path, mail: outlook.Tree) -> str:
    return (await extract(pool, folder, outlook.compound(mail))).text


async def test_the_same_mail_reads_the_same_in_both_forms(
    pool: ExtractorPool, tmp_path: Path
) -> None:
    internet = await extract(pool, tmp_path, documents.mail(), "a.eml")
    office = await extract(pool, tmp_path, same_as_documents_mail())
    assert office.text == internet.text.replace("anchor.eml", "anchor.msg")
    assert office.title == internet.title
    assert [(t.name.replace(".msg", ".eml"), t.columns, t.rows) for t in office.tables] == [
        (t.name, t.columns, t.rows) for t in internet.tables
    ]


async def test_headers_contain_sender_recipients_and_date(
    pool: ExtractorPool, tmp_path: Path
) -> None:
    mail = outlook.mail(
        {SUBJECT: "Tides", 0x0042: "Anna", 0x0065: "/O=HARBOUR/CN=ANNA@QUAY"},
        recipients=[
            (1, "'Bob'", "bob@example.org"),
            (2, "eve@example.org", "eve@example.org"),
            (1, "Crew", ""),
        ],
        sent=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    assert (await text_of(pool, tmp_path, mail)).splitlines() == [
        "From: Anna",
        "To: Bob <bob@example.org>, Crew",
        "Cc: eve@example.org",
        "Date: Fri, 02 Jan 2026 03:04:05 +0000",
        "Subject: Tides",
    ]


@pytest.mark.parametrize(
    ("mail", "expected"),
    [
        (outlook.mail({BODY: "Прилив в шесть"}, encoding="cp1251", code_page=1251), "Прилив"),
        (outlook.mail({BODY: "満潮は六時です"}, encoding="cp932", code_page=932), "満潮は六時"),
        (outlook.mail({BODY: "Ebbe für später"}, encoding="utf-8", code_page=65001), "für später"),
        (outlook.mail({HTML: "<p>Sail <b>home</b>"}), "Sail home"),
        (outlook.mail(data={HTML: "<p>Прилив".encode("koi8-r")}, code_page=20866), "Прилив"),
        (outlook.mail(data={HTML: b"<meta charset=cp1252><p>\x80 5"}, code_page=1251), "€ 5"),
        (outlook.mail(data={RTF: compress(rb"{\rtf1\ansi The \'e9cluse.}")}), "The écluse."),
        (outlook.mail(data={RTF: compress(rb"{\rtf1 Raw.}", compressed=False)}), "Raw."),
    ],
)
async def test_bodies_in_every_format_and_code_page_are_read(
    pool: ExtractorPool, tmp_path: Path, mail: outlook.Tree, expected: str
) -> None:
    assert expected in await text_of(pool, tmp_path, mail)


async def test_a_bad_attachment_only_affects_itself(pool: ExtractorPool, tmp_path: Path) -> None:
    broken_text = outlook.mail(data={RTF: compress(b"{\\rtf1 x}")[:-1] + b"\xff"}, is_inner=True)
    text = await text_of(
        pool,
        tmp_path,
        letter(
            outlook.file("bomb.zip", documents.zipped({"a.txt": bytes(300 << 20)})),
            outlook.file("locked.odt", documents.odt("x", is_encrypted=True)),
            outlook.file("broken.pdf", b"%PDF-1.4\nnothing else"),
            outlook.file("empty.txt", b""),
            outlook.link("plan.doc"),
            outlook.inner_mail(broken_text),
            outlook.file("smime.p7m", SIGNED, "multipart/signed"),
            outlook.file("a.zip", documents.zipped({"b.eml": documents.mail()})),
        ),
    )
    for expected in (
        "High water at six.\n\nAttachment: bomb.zip (too large)\n",
        "Attachment: locked.odt (encrypted)\n",
        "Attachment: broken.pdf (extraction error)\n",
        "Attachment: empty.txt (empty)\n",
        "Attachment: plan.doc (unsupported)\n",
        "Attachment: message.msg (extraction error)\n",
        "Attachment: smime.p7m\n\nSigned at sea.\n",
        "# b.eml\n",
        "Attachment: Lost anchor.eml\n",
    ):
        assert expected in text


async def test_mails_in_mails_and_their_number_are_limited(
    pool: ExtractorPool, tmp_path: Path
) -> None:
    inner = outlook.mail({BODY: "Level 6"}, is_inner=True)
    for level in range(5, 0, -1):
        inner = outlook.mail(
            {SUBJECT: f"Level {level}"}, is_inner=True, attached=[outlook.inner_mail(inner)]
        )
    text = await text_of(pool, tmp_path, letter(outlook.inner_mail(inner)))
    assert "Subject: Level 4\n\nAttachment: Level 5.msg (too large)" in text
    assert "Level 6" not in text
    many = letter(*(outlook.file(f"{n}.txt", f"Note {n}.".encode()) for n in range(102)))
    text = await text_of(pool, tmp_path, many)
    assert "Note 99." in text
    assert text.endswith("Attachment: 100.txt (not read)\n\nAttachment: 101.txt (not read)")


async def test_a_mail_is_distinguished_from_a_document_in_it(
    pool: ExtractorPool, tmp_path: Path
) -> None:
    old_word = outlook.compound({"WordDocument": bytes(9_000)})
    mail = outlook.compound(letter(outlook.file("old.doc", old_word)))
    read = await extract(pool, tmp_path, mail, "without a name that helps")
    assert read.mime_type == "application/vnd.ms-outlook"
    assert "Attachment: old.doc (extraction error)" in read.text


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
async def test_half_a_mail_is_no_mail(pool: ExtractorPool, tmp_path: Path, share: float) -> None:
    whole = same_as_documents_mail()
    with pytest.raises(ExtractionFailed, match="damaged") as caught:
        await extract(pool, tmp_path, whole[: int(len(whole) * share)])
    assert (caught.value.code, caught.value.retryable) == ("extraction_error", False)


def winmail() -> bytes:
    """A mail with a table, and a mail with a text of its own, attached."""
    inner = winmail_dat.tnef(
        (winmail_dat.SUBJECT, b"Lost anchor\0"),
        (
            winmail_dat.PROPERTIES,
            winmail_dat.properties((RTF, 0x102, compress(rb"{\rtf1\ansi Near the \'e9cluse.}"))),
        ),
    )
    moment = struct.pack("<Q", outlook.file_time(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)))
    found = (
        (0x8001, 0x101F, "tides".encode("utf-16-le")),
        (0x0042, 0x1E, "Anna Müller\0".encode("cp1252")),
        (0x0039, 0x40, moment),
        (HTML, 0x102, "<p>High water für <b>us".encode("cp1252")),
    )
    return winmail_dat.tnef(
        (winmail_dat.CODE_PAGE, struct.pack("<Q", 1252)),
        (winmail_dat.SUBJECT, b"Tides\0"),
        (winmail_dat.PROPERTIES, winmail_dat.properties(*found)),
        *winmail_dat.attached("Länge.csv", b"boat,berth\nAnna,12\n"),
        *winmail_dat.inner_mail(inner),
    )


async def test_winmail_dat_is_read(pool: ExtractorPool, tmp_path: Path) -> None:
    expected = (
        "From: Anna Müller\nDate: Fri, 02 Jan 2026 03:04:05 +0000\nSubject: Tides\n\n"
        "High water für us\n\nAttachment: Länge.csv\n\nboat: Anna; berth: 12\n\n"
        "Attachment: Lost anchor.msg\n\nSubject: Lost anchor\n\nNear the écluse."
    )
    alone = await extract(pool, tmp_path, winmail() + b"\r\n", "winmail.dat")
    assert alone.text == expected
    letter = EmailMessage()
    letter.set_content("See what is attached.")
    letter.add_attachment(
        winmail(), maintype="application", subtype="ms-tnef", filename="winmail.dat"
    )
    read = await extract(pool, tmp_path, letter.as_bytes(), "a.eml")
    assert read.text == f"See what is attached.\n\nAttachment: winmail.dat\n\n{expected}"
    assert [table.name for table in read.tables] == ["winmail.dat: Länge.csv"]
    with pytest.raises(ExtractionFailed, match="damaged"):
        await extract(pool, tmp_path, winmail()[:-9], "winmail.dat")
    damaged = winmail_dat.tnef(
        (winmail_dat.BODY, b"High water."), *winmail_dat.inner_mail(winmail()[:-9])
    )
    rest = await extract(pool, tmp_path, damaged, "winmail.dat")
    assert rest.text == "High water.\n\nAttachment: attachment (extraction error)"
