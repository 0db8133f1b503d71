"""The results of extraction, and the exception of a file without a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Extracted", "ExtractionLimits", "ReaderOutput", "Refusal", "Table", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet or a delimited file. `rows` may be truncated, `row_count` is the full number."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    row_count: int


@dataclass(frozen=True, slots=True)
class Extracted:
    """A document's text in NFC, with LF newlines and only characters that Postgres can store."""

    text: str
    mime_type: str
    page_starts: tuple[int, ...] = ()
    """Character offset of each page or slide in `text`; empty for formats without pages."""
    tables: tuple[Table, ...] = ()
    title: str | None = None
    is_markdown: bool = False


@dataclass(frozen=True, slots=True)
class ExtractionLimits:
    """Size limits for one file, and the languages of text recognition."""

    max_file_bytes: int
    max_text_chars: int
    ocr_languages: str | None = None
    """Tesseract's language codes, joined by `+`; None disables text recognition."""


@dataclass(slots=True)
class ReaderOutput:
    """The output of a reader, before the text is normalised and limits are applied."""

    parts: list[str]
    paged: bool = False
    tables: tuple[Table, ...] = ()
    title: str | None = None
    is_markdown: bool = False
    mime_type: str | None = None


class Refusal(Exception):
    """A file from which no text can be extracted, with the reason.

    It is raised in the child process, which does not load `raglive_contract`. The parent converts
    it to `Skipped` or `ExtractionFailed`.
    """

    def __init__(
        self,
        outcome: Literal["skipped", "failed"],
        code: str,
        message: str,
        *,
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.code = code
        self.message = message
        self.retryable = retryable


def skipped(code: str, message: str) -> Refusal:
    """Create the refusal of an intact file without indexable text."""
    return Refusal("skipped", code, message)


def failed(code: str, message: str, *, retryable: bool = False) -> Refusal:
    """Create the refusal of a file that should have been readable."""
    return Refusal("failed", code, message, retryable=retryable)
