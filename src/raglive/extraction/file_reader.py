"""Reads a file to a document's text. Runs in a child process."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from raglive.extraction import mime_types
from raglive.extraction.document_channel import open_for_reading
from raglive.extraction.model import (
    Extracted,
    ExtractionLimits,
    ReaderOutput,
    Table,
    failed,
    skipped,
)
from raglive.extraction.readers.format_registry import reader_for
from raglive.extraction.readers.pdf import SCAN_TYPES, read_scan
from raglive.extraction.text_normalisation import drop_encoded_data, normalise, one_line
from raglive_contract.errors import ErrorCode

__all__ = ["read_file"]

_MEANINGLESS_TITLES = {"untitled", "(anonymous)", "anonymous", "title", "document"}
_UNDECODED = re.compile(r"[\ufffd\ue000-\uf8ff]")
_VISIBLE = re.compile(r"[^\s\u00ad\u200b-\u200f\u2060-\u2064]")
_PAGE_BREAK = "\n"  # a page may end within a sentence
_PART_BREAK = "\n\n"
MAX_CELLS = 2_000_000  # of all tables of a file together


def read_file(
    document: Path | int, name: str, hint: str | None, limits: ExtractionLimits
) -> Extracted:
    """Read a path or an open descriptor, which is closed, as if the file was called `name`.

    Raises `Refusal`.
    """
    data = _content(document, limits.max_file_bytes)
    if not data.strip():
        raise skipped(ErrorCode.EMPTY, "The file is empty.")
    mime_type = mime_types.detect(name, data, hint)
    if mime_type == mime_types.BINARY and mime_types.mime_of_name(name):
        suffix = Path(name).suffix
        message = f"The file name ends in {suffix}, but its content has another type or is damaged."
        raise failed(ErrorCode.EXTRACTION_ERROR, message)
    if limits.ocr_languages and mime_type in SCAN_TYPES:
        draft = read_scan(data, mime_type, limits.ocr_languages)
    else:
        draft = reader_for(mime_type)(data, name)
    return _finished(draft, mime_type, limits)


def _content(document: Path | int, max_bytes: int) -> bytes:
    """Return the bytes of a regular file that did not change while it was read."""
    try:
        descriptor = document if isinstance(document, int) else open_for_reading(document)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.seek(0)  # another process may have read from the same descriptor
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                raise skipped(ErrorCode.UNSUPPORTED, "This is not a regular file.")
            if before.st_size > max_bytes:
                raise _too_large("file", before.st_size, max_bytes, "bytes")
            data = file.read(before.st_size + 1)
            after = os.fstat(descriptor)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise failed(
            ErrorCode.FILE_UNREADABLE, f"The file cannot be read: {reason}.", retryable=True
        ) from error
    if _identity(before) != _identity(after) or len(data) != after.st_size:
        raise failed(ErrorCode.FILE_CHANGED, "The file changed while it was read.", retryable=True)
    return data


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _too_large(what: str, size: int, limit: int, unit: str) -> Exception:
    return skipped(ErrorCode.TOO_LARGE, f"The {what} has {size:,} {unit}; the limit is {limit:,}.")


def _finished(draft: ReaderOutput, mime_type: str, limits: ExtractionLimits) -> Extracted:
    parts = [normalise(drop_encoded_data(part)) for part in draft.parts]
    if not draft.paged:
        parts = [part.strip("\n") for part in parts if part.strip()]
    glue = _PAGE_BREAK if draft.paged and not draft.is_markdown else _PART_BREAK
    text = glue.join(parts)
    if len(text) > limits.max_text_chars:
        raise _too_large("text", len(text), limits.max_text_chars, "characters")
    _require_text(text, mime_type)
    return Extracted(
        text=text,
        mime_type=mime_type,
        page_starts=_starts(parts, len(glue)) if draft.paged else (),
        tables=_named_and_limited(draft.tables),
        title=_title(draft.title),
        is_markdown=draft.is_markdown,
    )


def _named_and_limited(tables: Sequence[Table]) -> tuple[Table, ...]:
    """Make the names of the tables unique, and limit their total size."""
    kept: list[Table] = []
    names: Counter[str] = Counter()
    left = MAX_CELLS
    for table in tables:
        names[table.name] += 1
        again = names[table.name]
        name = table.name if again == 1 else f"{table.name} ({again})"
        rows = table.rows[: left // max(1, len(table.columns))]
        left -= len(rows) * len(table.columns)
        kept.append(replace(table, name=name, rows=rows))
    return tuple(kept)


def _starts(parts: list[str], glue_length: int) -> tuple[int, ...]:
    starts, position = [], 0
    for part in parts:
        starts.append(position)
        position += len(part) + glue_length
    return tuple(starts)


def _require_text(text: str, mime_type: str) -> None:
    if not _VISIBLE.search(text):
        if mime_type.startswith("text/") and mime_type != "text/html":
            raise skipped(ErrorCode.EMPTY, "The file contains only white space.")
        scan = (
            " It may be a scan; text in pictures is read with RAGLIVE_OCR_LANGUAGES."
            if mime_type == "application/pdf"
            else ""
        )
        raise skipped(ErrorCode.NO_TEXT, f"The document contains no text.{scan}")
    sample = text[:20_000]
    if len(_UNDECODED.findall(sample)) > 0.3 * len(sample.split()) * 5:
        raise skipped(
            ErrorCode.NO_TEXT, "The document's fonts do not map their glyphs to characters."
        )


def _title(title: str | None) -> str | None:
    tidy = one_line(title or "", 300)
    return None if tidy.lower() in _MEANINGLESS_TITLES else tidy or None
