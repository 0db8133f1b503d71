"""Which reader takes which type."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial

from raglive.extraction import mime_types
from raglive.extraction.model import ReaderOutput, skipped
from raglive.extraction.readers.archives import (
    COMPRESSIONS,
    read_compressed,
    read_tar,
    read_zip,
)
from raglive.extraction.readers.html import read_html
from raglive.extraction.readers.kreuzberg_formats import native_reader, read_pdf
from raglive.extraction.readers.mail import read_mail
from raglive.extraction.readers.nested_files import NestedFileReader
from raglive.extraction.readers.opendocument import read_odp, read_ods, read_odt
from raglive.extraction.readers.outlook import read_msg, read_tnef
from raglive.extraction.readers.powerpoint import read_presentation
from raglive.extraction.readers.powerpoint97 import read_ppt
from raglive.extraction.readers.spreadsheets import delimited_reader, workbook_reader
from raglive.extraction.readers.word import read_docx
from raglive.extraction.readers.xml_feeds import read_epub, read_feed, read_xml
from raglive.extraction.text_encoding import decode

__all__ = ["Reader", "read_json", "read_markdown", "read_text", "reader_for"]

Reader = Callable[[bytes, str], ReaderOutput]

_NATIVE = (
    "application/msword",
    "application/rtf",
    "application/x-ipynb+json",
)
_WORKBOOKS = (mime_types.XLSX, mime_types.XLSB, "application/vnd.ms-excel")


# What Python, Emacs and Vim agree on: a comment in one of the first two lines.
_CODING = re.compile(rb"\A(?:[^\n]*\n)?[ \t\f]*[^\w\s][^\n]*?coding[:=][ \t]*([-\w.]+)")
_ESCAPED = re.compile(r"(?<!\\)((?:\\\\)*)((?:\\u[0-9a-fA-F]{4})+)")
_LONG_LINE_CHARS = 2_000


def read_text(data: bytes, _name: str) -> ReaderOutput:
    """Read text as it stands."""
    told = _CODING.search(data[:400])
    return ReaderOutput([decode(data, told[1].decode("ascii") if told else None)])


def read_markdown(data: bytes, _name: str) -> ReaderOutput:
    """Read Markdown as it stands; its first heading is the title."""
    text = decode(data)
    heading = next((line[2:] for line in text.splitlines() if line.startswith("# ")), None)
    return ReaderOutput([text], title=heading, is_markdown=True)


def read_json(data: bytes, _name: str) -> ReaderOutput:
    """Read JSON with its letters unescaped, and laid out in lines when it has none."""
    text = decode(data)
    text = _ESCAPED.sub(_unescaped, text) if "\\u" in text else text
    if max(map(len, text.splitlines()), default=0) <= _LONG_LINE_CHARS:
        return ReaderOutput([text])
    try:
        return ReaderOutput([json.dumps(json.loads(text), ensure_ascii=False, indent=1)])
    except (ValueError, RecursionError):
        return ReaderOutput([text])


def _unescaped(found: re.Match[str]) -> str:
    letters: str = json.loads(f'"{found[2]}"')
    return found[0] if min(letters) < "\xa0" else found[1] + letters


def reader_for(mime_type: str, nested: NestedFileReader | None = None) -> Reader:
    """Return the reader of `mime_type`. Raises the refusal of a type that nobody reads.

    `nested` is that of the file which the one to read lies in.
    """
    container = _CONTAINERS.get(mime_type)
    if container is not None:
        return partial(container, nested=nested or NestedFileReader(_read_inner))
    reader = _READERS.get(mime_type)
    if reader is None and mime_type.startswith("text/"):
        reader = read_text
    if reader is not None:
        return reader
    if mime_type == mime_types.ENCRYPTED_OFFICE:
        raise skipped("encrypted", "The document is protected by a password.")
    if mime_type == mime_types.BINARY:
        raise skipped("unsupported", "What the file holds is of no type that is known here.")
    if mime_type in mime_types.UNREAD_ARCHIVES:
        message = f"Archives of this type are not read ({mime_type}). Pack the files as zip or tar."
        raise skipped("unsupported", message)
    raise skipped("unsupported", f"Files of this type are not read: {mime_type}.")


def _read_inner(
    data: bytes, name: str, declared: str | None, nested: NestedFileReader
) -> ReaderOutput:
    if not data.strip():
        raise skipped("empty", "The file is empty.")
    return reader_for(mime_types.detect(name, data, declared), nested)(data, name)


_READERS: dict[str, Reader] = {
    "application/pdf": read_pdf,
    mime_types.DOCX: read_docx,
    mime_types.PPTX: read_presentation,
    "application/vnd.ms-powerpoint": read_ppt,
    mime_types.ODT: read_odt,
    mime_types.ODS: read_ods,
    mime_types.ODP: read_odp,
    "application/epub+zip": read_epub,
    "text/html": read_html,
    "text/markdown": read_markdown,
    "text/csv": delimited_reader(None),
    "text/tab-separated-values": delimited_reader("\t"),
    "application/json": read_json,
    "application/x-ndjson": read_json,
    "application/xml": read_xml,
    "application/rss+xml": read_feed,
    **{mime_type: native_reader(mime_type) for mime_type in _NATIVE},
    **{mime_type: workbook_reader(mime_type) for mime_type in _WORKBOOKS},
}
_CONTAINERS: dict[str, Callable[..., ReaderOutput]] = {
    "message/rfc822": read_mail,
    "application/vnd.ms-outlook": read_msg,
    "application/ms-tnef": read_tnef,
    "application/zip": read_zip,
    "application/x-tar": read_tar,
    **{kind: partial(read_compressed, mime_type=kind) for kind in COMPRESSIONS},
}
