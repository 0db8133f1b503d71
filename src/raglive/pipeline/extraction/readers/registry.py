"""Which reader takes which type."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from raglive.pipeline.extraction import mime
from raglive.pipeline.extraction.model import Draft, skipped
from raglive.pipeline.extraction.readers.epub import read_epub
from raglive.pipeline.extraction.readers.html import read_html
from raglive.pipeline.extraction.readers.mail import read_mail
from raglive.pipeline.extraction.readers.markup import read_feed, read_xml
from raglive.pipeline.extraction.readers.native import native_reader, read_pdf
from raglive.pipeline.extraction.readers.nesting import Nesting
from raglive.pipeline.extraction.readers.opendocument import read_odp, read_ods, read_odt
from raglive.pipeline.extraction.readers.outlook import read_msg, read_tnef
from raglive.pipeline.extraction.readers.packed import (
    COMPRESSIONS,
    read_compressed,
    read_tar,
    read_zip,
)
from raglive.pipeline.extraction.readers.plain import read_json, read_markdown, read_text
from raglive.pipeline.extraction.readers.presentation import read_presentation
from raglive.pipeline.extraction.readers.slides97 import read_ppt
from raglive.pipeline.extraction.readers.tabular import delimited_reader, workbook_reader
from raglive.pipeline.extraction.readers.word import read_docx

__all__ = ["Reader", "reader_for"]

Reader = Callable[[bytes, str], Draft]

_NATIVE = (
    "application/msword",
    "application/rtf",
    "application/x-ipynb+json",
)
_WORKBOOKS = (mime.XLSX, mime.XLSB, "application/vnd.ms-excel")


def reader_for(mime_type: str, nesting: Nesting | None = None) -> Reader:
    """Return the reader of `mime_type`. Raises the refusal of a type that nobody reads.

    `nesting` is that of the file which the one to read lies in.
    """
    container = _CONTAINERS.get(mime_type)
    if container is not None:
        return partial(container, nesting=nesting or Nesting(_read_inner))
    reader = _READERS.get(mime_type)
    if reader is None and mime_type.startswith("text/"):
        reader = read_text
    if reader is not None:
        return reader
    if mime_type == mime.ENCRYPTED_OFFICE:
        raise skipped("encrypted", "The document is protected by a password.")
    if mime_type == mime.BINARY:
        raise skipped("unsupported", "What the file holds is of no type that is known here.")
    if mime_type in mime.UNREAD_ARCHIVES:
        message = f"Archives of this type are not read ({mime_type}). Pack the files as zip or tar."
        raise skipped("unsupported", message)
    raise skipped("unsupported", f"Files of this type are not read: {mime_type}.")


def _read_inner(data: bytes, name: str, declared: str | None, nesting: Nesting) -> Draft:
    if not data.strip():
        raise skipped("empty", "The file is empty.")
    return reader_for(mime.detect(name, data, declared), nesting)(data, name)


_READERS: dict[str, Reader] = {
    "application/pdf": read_pdf,
    mime.DOCX: read_docx,
    mime.PPTX: read_presentation,
    "application/vnd.ms-powerpoint": read_ppt,
    mime.ODT: read_odt,
    mime.ODS: read_ods,
    mime.ODP: read_odp,
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
_CONTAINERS: dict[str, Callable[..., Draft]] = {
    "message/rfc822": read_mail,
    "application/vnd.ms-outlook": read_msg,
    "application/ms-tnef": read_tnef,
    "application/zip": read_zip,
    "application/x-tar": read_tar,
    **{kind: partial(read_compressed, mime_type=kind) for kind in COMPRESSIONS},
}
