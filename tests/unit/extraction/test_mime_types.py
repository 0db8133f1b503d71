from __future__ import annotations

import zipfile
from io import BytesIO

import pytest

from raglive.extraction.mime_types import BINARY, DOCX, ENCRYPTED_OFFICE, ODT, XLSX, detect

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


def zipped(**parts: str) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


OFFICE = {"[Content_Types].xml": "<Types/>"}


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("report.pdf", b"%PDF-1.7\n", "application/pdf"),
        ("report.txt", b"%PDF-1.7\n", "application/pdf"),
        ("report", b"\n%PDF-1.4\n", "application/pdf"),
        ("report.pdf", b"<html><body>Not found</body></html>", BINARY),
        ("a.docx", zipped(**OFFICE, word__document="x"), DOCX),
        ("a.zip", zipped(**OFFICE, xl__workbook="x"), XLSX),
        ("a.bin", zipped(mimetype=ODT), ODT),
        ("a.docx", b"PK\x03\x04 broken", DOCX),
        ("a.zip", zipped(**{"notes.txt": "x"}), "application/zip"),
        ("a.xlsx", OLE + "EncryptedPackage".encode("utf-16-le"), ENCRYPTED_OFFICE),
        ("a.doc", OLE + "WordDocument".encode("utf-16-le"), "application/msword"),
        ("a.doc", b"{\\rtf1 hello}", "application/rtf"),
        ("a.xls", b"<html><table></table></html>", "text/html"),
        ("photo.txt", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("photo", b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        ("page", b"\xef\xbb\xbf<!DOCTYPE html><p>x", "text/html"),
        ("feed.xml", b"<?xml version='1.0'?><rss version='2.0'>", "application/rss+xml"),
        ("data.xml", b"<?xml version='1.0'?><data/>", "application/xml"),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        ("letter", b"From: a@b.c\r\nDate: x\r\nMessage-ID: <1>\r\n\r\nHi", "message/rfc822"),
        ("README.md", b"# Title", "text/markdown"),
        ("notes", b"plain words", "text/plain"),
        ("main.py", b"print('x')", "text/plain"),
        ("data.csv", b"a,b\n1,2", "text/csv"),
        ("data.JSONL", b"{}\n{}", "application/x-ndjson"),
        ("program", b"\x7fELF\x02", "application/x-executable"),
        ("blob.dat", bytes(range(256)), BINARY),
        ("data.csv", bytes(range(256)), BINARY),
    ],
)
def test_content_takes_precedence_over_the_name(name: str, data: bytes, expected: str) -> None:
    assert detect(name, data) == expected


def test_the_sources_type_is_used_where_nothing_else_decides() -> None:
    assert detect("Meeting", b"# Notes", "text/markdown") == "text/markdown"
    assert detect("Meeting", b"%PDF-1.5", "text/markdown") == "application/pdf"
    assert detect("Meeting.csv", b"a,b", "text/plain") == "text/csv"
    assert detect("Meeting", b"words", "application/x-unheard-of") == "text/plain"
