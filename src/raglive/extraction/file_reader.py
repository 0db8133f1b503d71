"""From a path to a document's text: what runs in a child."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import kreuzberg

from raglive.extraction import mime_types
from raglive.extraction.model import Extracted, Limits, ReaderOutput, Table, failed, skipped
from raglive.extraction.readers.format_registry import reader_for
from raglive.extraction.readers.kreuzberg_formats import COMMON_OPTIONS, convert, pages_of
from raglive.extraction.text_normalisation import normalise, one_line

__all__ = ["SCAN_TYPES", "read_file", "read_scan"]

_MEANINGLESS_TITLES = {"untitled", "(anonymous)", "anonymous", "title", "document"}
_UNDECODED = re.compile(r"[\ufffd\ue000-\uf8ff]")
_VISIBLE = re.compile(r"[^\s\u00ad\u200b-\u200f\u2060-\u2064]")
_PAGE_BREAK = "\n"  # a page may end in the middle of a sentence
_PART_BREAK = "\n\n"
_MOST_CELLS = 2_000_000  # of all tables of a file together


def read_file(path: Path, name: str, hint: str | None, limits: Limits) -> Extracted:
    """Read the file at `path`, known as `name`. Raises `Refusal`."""
    data = _content(path, limits.max_file_bytes)
    if not data.strip():
        raise skipped("empty", "The file is empty.")
    mime_type = mime_types.detect(name, data, hint)
    if mime_type == mime_types.BINARY and mime_types.mime_of_name(name):
        suffix = Path(name).suffix
        message = f"The file is called {suffix}, but what it holds is something else, or damaged."
        raise failed("extraction_error", message)
    if limits.ocr_languages and mime_type in SCAN_TYPES:
        draft = read_scan(data, mime_type, limits.ocr_languages)
    else:
        draft = reader_for(mime_type)(data, name)
    return _finished(draft, mime_type, limits)


def _content(path: Path, max_bytes: int) -> bytes:
    """Return the bytes of a regular file that did not change while they were read."""
    try:
        # Never wait for a pipe's writer.
        descriptor = os.open(
            path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, no path
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                raise skipped("unsupported", "This is no regular file.")
            if before.st_size > max_bytes:
                raise _too_large("file", before.st_size, max_bytes, "bytes")
            data = file.read(before.st_size + 1)
            after = os.fstat(descriptor)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise failed(
            "file_unreadable", f"The file cannot be read: {reason}.", retryable=True
        ) from error
    if _identity(before) != _identity(after) or len(data) != after.st_size:
        raise failed("file_changed", "The file changed while it was read.", retryable=True)
    return data


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _too_large(what: str, size: int, limit: int, unit: str) -> Exception:
    return skipped("too_large", f"The {what} has {size:,} {unit}; the limit is {limit:,}.")


def _finished(draft: ReaderOutput, mime_type: str, limits: Limits) -> Extracted:
    parts = [normalise(part) for part in draft.parts]
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
        tables=_kept(draft.tables),
        title=_title(draft.title),
        is_markdown=draft.is_markdown,
    )


def _kept(tables: Sequence[Table]) -> tuple[Table, ...]:
    """Return the tables under names of their own, together of a bounded size."""
    kept: list[Table] = []
    names: Counter[str] = Counter()
    left = _MOST_CELLS
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
            raise skipped("empty", "The file holds nothing but white space.")
        scan = (
            " It may be a scan; text in pictures is read with RAGLIVE_OCR_LANGUAGES."
            if mime_type == "application/pdf"
            else ""
        )
        raise skipped("no_text", f"The document holds no text.{scan}")
    sample = text[:20_000]
    if len(_UNDECODED.findall(sample)) > 0.3 * len(sample.split()) * 5:
        raise skipped("no_text", "The document's fonts do not say which letters they show.")


def _title(title: str | None) -> str | None:
    tidy = one_line(title or "", 300)
    return None if tidy.lower() in _MEANINGLESS_TITLES else tidy or None


SCAN_TYPES = frozenset({"application/pdf", "image/png", "image/jpeg", "image/tiff", "image/webp"})


def read_scan(data: bytes, mime_type: str, languages: str) -> ReaderOutput:
    """Read a picture, or a PDF, whose pages are recognised where they hold no text."""
    result = convert(data, mime_type, _recognising(languages))
    return ReaderOutput(pages_of(result), paged=True, title=result.metadata.get("title"))


@cache
def _recognising(languages: str) -> kreuzberg.ExtractionConfig:
    tesseract = kreuzberg.TesseractConfig(language=languages, use_cache=False)
    return kreuzberg.ExtractionConfig(
        **COMMON_OPTIONS | {"disable_ocr": False},
        ocr=kreuzberg.OcrConfig(
            backend="tesseract", language=languages, tesseract_config=tesseract
        ),
        pages=kreuzberg.PageConfig(extract_pages=True),
    )
