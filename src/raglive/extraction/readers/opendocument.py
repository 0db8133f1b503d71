"""OpenDocument texts, spreadsheets and presentations."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from raglive.extraction import mime_types
from raglive.extraction.model import ReaderOutput, failed, skipped
from raglive.extraction.readers.kreuzberg_adapter import convert
from raglive.extraction.readers.spreadsheets import workbook_reader
from raglive.extraction.readers.zip_container import ZipContainer
from raglive_contract.errors import ErrorCode

__all__ = ["read_odp", "read_ods", "read_odt"]

_NAMES = "{urn:oasis:names:tc:opendocument:xmlns:"
_PAGE = f"{_NAMES}drawing:1.0}}page"
_FRAME = f"{_NAMES}drawing:1.0}}frame"
_CLASS = f"{_NAMES}presentation:1.0}}class"
_NOTES = f"{_NAMES}presentation:1.0}}notes"
_ROW = f"{_NAMES}table:1.0}}table-row"
_CELL = f"{_NAMES}table:1.0}}table-cell"
_TEXT = f"{_NAMES}text:1.0}}"
_PARAGRAPHS = {f"{_TEXT}p", f"{_TEXT}h"}
_SPACES = {f"{_TEXT}s": " ", f"{_TEXT}tab": " ", f"{_TEXT}line-break": "\n"}
_DC_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_IGNORED_PLACEHOLDERS = {"page-number", "date-time", "footer", "header"}

_read_workbook = workbook_reader(mime_types.ODS)


def read_odt(data: bytes, _name: str) -> ReaderOutput:
    """Read a text document."""
    with ZipContainer(data) as archive:
        _refuse_encrypted(archive)
    result = convert(data, mime_types.ODT)
    return ReaderOutput([result.content], title=result.metadata.get("title"))


def read_ods(data: bytes, name: str) -> ReaderOutput:
    """Read a spreadsheet, sheet by sheet."""
    with ZipContainer(data) as archive:
        _refuse_encrypted(archive)
    draft: ReaderOutput = _read_workbook(data, name)
    return draft


def read_odp(data: bytes, _name: str) -> ReaderOutput:
    """Read a presentation slide by slide, each with its notes."""
    with ZipContainer(data) as archive:
        _refuse_encrypted(archive)
        root = archive.xml("content.xml")
        about = archive.xml("meta.xml")
    if root is None:
        raise failed(ErrorCode.EXTRACTION_ERROR, "The presentation is damaged: it has no content.")
    title = about.findtext(f".//{_DC_TITLE}") if about is not None else None
    slides = ["\n\n".join(_slide(page)) for page in root.iter(_PAGE)]
    return ReaderOutput(slides, paged=True, title=title, is_markdown=True)


def _slide(page: Element) -> Iterator[str]:
    for child in page:
        if child.tag == _NOTES:
            spoken = [text for frame in child.iter(_FRAME) for text in _frame(frame)]
            yield from ["Notes:", *spoken] if spoken else []
        else:
            for frame in child.iter(_FRAME):
                yield from _frame(frame)


def _frame(frame: Element) -> Iterator[str]:
    kind = frame.get(_CLASS, "")
    rows = list(frame.iter(_ROW))
    if kind in _IGNORED_PLACEHOLDERS:
        return
    if rows:
        yield "\n".join(" | ".join(_lines(cell, " ") for cell in row.iter(_CELL)) for row in rows)
        return
    text = _lines(frame, "\n")
    if text:
        yield f"# {' '.join(text.split())}" if kind == "title" else text


def _lines(element: Element, glue: str) -> str:
    found = (_text(it).strip() for it in element.iter() if it.tag in _PARAGRAPHS)
    return glue.join(filter(None, found))


def _text(element: Element) -> str:
    pieces = [element.text or ""]
    for child in element:
        pieces += [_SPACES.get(str(child.tag)) or _text(child), child.tail or ""]
    return "".join(pieces)


def _refuse_encrypted(archive: ZipContainer) -> None:
    if b"encryption-data" in (archive.read("META-INF/manifest.xml") or b""):
        raise skipped(ErrorCode.ENCRYPTED, "The document is protected by a password.")
