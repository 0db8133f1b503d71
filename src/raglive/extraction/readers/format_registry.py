"""Maps MIME types to readers."""

from __future__ import annotations

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
from raglive.extraction.readers.epub import read_epub
from raglive.extraction.readers.html import read_html
from raglive.extraction.readers.kreuzberg_adapter import kreuzberg_reader
from raglive.extraction.readers.mail import read_mail, read_mailbox
from raglive.extraction.readers.nested_files import NestedFileReader
from raglive.extraction.readers.opendocument import read_odp, read_ods, read_odt
from raglive.extraction.readers.outlook import read_msg, read_tnef
from raglive.extraction.readers.pdf import read_pdf
from raglive.extraction.readers.plain_text import (
    read_calendar,
    read_json,
    read_markdown,
    read_text,
)
from raglive.extraction.readers.powerpoint import read_presentation
from raglive.extraction.readers.powerpoint97 import read_ppt
from raglive.extraction.readers.spreadsheets import delimited_reader, workbook_reader
from raglive.extraction.readers.word import read_docx
from raglive.extraction.readers.workbook import read_xlsx
from raglive.extraction.readers.xml_feeds import read_feed, read_xml
from raglive_contract.errors import ErrorCode

__all__ = ["Reader", "reader_for"]

Reader = Callable[[bytes, str], ReaderOutput]

_BY_KREUZBERG = (
    "application/msword",
    "application/rtf",
    "application/x-ipynb+json",
)
_WORKBOOKS = (mime_types.XLSB, "application/vnd.ms-excel")


def reader_for(mime_type: str, nested: NestedFileReader | None = None) -> Reader:
    """Return the reader of `mime_type`. Raises `Refusal` for an unsupported type.

    `nested` carries the limits of the outer file when the file is within another one.
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
        raise skipped(ErrorCode.ENCRYPTED, "The document is protected by a password.")
    if mime_type == mime_types.BINARY:
        raise skipped(ErrorCode.UNSUPPORTED, "The type of the file's content is unknown.")
    if mime_type in mime_types.UNREAD_ARCHIVES:
        message = f"Archives of this type are not read ({mime_type}). Pack the files as zip or tar."
        raise skipped(ErrorCode.UNSUPPORTED, message)
    raise skipped(ErrorCode.UNSUPPORTED, f"Files of this type are not read: {mime_type}.")


def _read_inner(
    data: bytes, name: str, declared: str | None, nested: NestedFileReader
) -> ReaderOutput:
    if not data.strip():
        raise skipped(ErrorCode.EMPTY, "The file is empty.")
    return reader_for(mime_types.detect(name, data, declared), nested)(data, name)


_READERS: dict[str, Reader] = {
    "application/pdf": read_pdf,
    mime_types.DOCX: read_docx,
    mime_types.PPTX: read_presentation,
    mime_types.XLSX: read_xlsx,
    "application/vnd.ms-powerpoint": read_ppt,
    mime_types.ODT: read_odt,
    mime_types.ODS: read_ods,
    mime_types.ODP: read_odp,
    "application/epub+zip": read_epub,
    "text/html": read_html,
    "text/markdown": read_markdown,
    "text/calendar": read_calendar,
    "text/vcard": read_calendar,
    "text/csv": delimited_reader(None),
    "text/tab-separated-values": delimited_reader("\t"),
    "application/json": read_json,
    "application/x-ndjson": read_json,
    "application/xml": read_xml,
    "application/rss+xml": read_feed,
    **{mime_type: kreuzberg_reader(mime_type) for mime_type in _BY_KREUZBERG},
    **{mime_type: workbook_reader(mime_type) for mime_type in _WORKBOOKS},
}
_CONTAINERS: dict[str, Callable[..., ReaderOutput]] = {
    "message/rfc822": read_mail,
    mime_types.MBOX: read_mailbox,
    "application/vnd.ms-outlook": read_msg,
    "application/ms-tnef": read_tnef,
    "application/zip": read_zip,
    "application/x-tar": read_tar,
    **{kind: partial(read_compressed, mime_type=kind) for kind in COMPRESSIONS},
}
