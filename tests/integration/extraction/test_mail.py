"""Unusual mails: no text of the sender is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from raglive.extraction.file_reader import read_file
from raglive.extraction.model import Extracted, ExtractionLimits

HEAD = "From: a@example.org\nSubject: Tides\nMIME-Version: 1.0\n"


def multipart(kind: str, *parts: str) -> str:
    """A multipart of `kind` of parts, each with headers of its own."""
    inside = "".join(f"--{kind}\n{part}\n" for part in parts)
    return f'Content-Type: multipart/{kind}; boundary="{kind}"\n\n{inside}--{kind}--\n'


def part(text: str, kind: str = "plain") -> str:
    return f"Content-Type: text/{kind}; charset=utf-8\n\n{text}\n"


def read(folder: Path, data: str | bytes, name: str = "a.eml") -> Extracted:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_file(path, name, None, ExtractionLimits(1_000_000, 1_000_000))


LOGO = "Content-Type: image/png; name=logo.png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=\n"


@pytest.mark.parametrize(
    ("mail", "expected"),
    [
        (multipart("alternative", part(" "), part("<p>Only here.", "html")), "Only here."),
        (multipart("alternative", part("Plain."), part("<p>Again.", "html")), "Plain."),
        (
            multipart(
                "alternative",
                part("Plain."),
                multipart("related", part("<p>Again.", "html"), LOGO),
            ),
            "Plain.\n\nAttachment: logo.png (unsupported)",
        ),
        (
            multipart("mixed", part("Before."), LOGO, part("Between."), part("<b>After.", "html")),
            "Before.\n\nAttachment: logo.png (unsupported)\n\nBetween.\n\nAfter.",
        ),
        (
            multipart(
                "mixed",
                part("Before."),
                multipart("alternative", part("Plain."), part("<p>Again.", "html")),
            ),
            "Before.\n\nPlain.",
        ),
        ("Content-Type: multipart/mixed\n\nNo boundary is told.\n", "No boundary is told."),
        ('Content-Type: multipart/mixed; boundary="b"\n\n--b\n\nNot closed.\n', "Not closed."),
        (
            multipart(
                "report",
                part("Undelivered."),
                "Content-Type: message/delivery-status\n\nReporting-MTA: dns; example.org\n\n"
                "Final-Recipient: rfc822; b@example.org\nAction: failed\n",
                "Content-Type: message/rfc822\n\nSubject: Anchor\n\nAs it was sent.\n",
            ),
            "Undelivered.\n\nAttachment: message/delivery-status\n\n"
            "Reporting-MTA: dns; example.org\n\n"
            "Final-Recipient: rfc822; b@example.org\nAction: failed\n\n"
            "Attachment: Anchor.eml\n\nSubject: Anchor\n\nAs it was sent.",
        ),
    ],
)
def test_every_text_is_read_once(tmp_path: Path, mail: str, expected: str) -> None:
    headers, _, text = read(tmp_path, HEAD + mail).text.partition("\n\n")
    assert headers == "From: a@example.org\nSubject: Tides"
    assert text == expected


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_headers_without_a_declared_encoding_are_read(tmp_path: Path, encoding: str) -> None:
    mail = "From: Jürgen <j@example.org>\r\nSubject: Grüße\r\n\r\nHigh water.\r\n"
    read_mail = read(tmp_path, mail.encode(encoding))
    assert read_mail.text == "From: Jürgen <j@example.org>\nSubject: Grüße\n\nHigh water."
    assert read_mail.title == "Grüße"


def test_a_saved_page_of_the_web_is_read_as_its_page(tmp_path: Path) -> None:
    page = (
        "Content-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n<p>=C3=9Cber uns"
    )
    saved = read(tmp_path, HEAD + multipart("related", page, LOGO), "page.mhtml")
    assert "\n\nÜber uns\n\nAttachment: logo.png" in saved.text
