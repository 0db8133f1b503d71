"""What extraction yields, and how a reader says that it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Extracted", "Limits", "ReaderOutput", "Refusal", "Table", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a sheet or a delimited file; `rows` may be fewer than `row_count`, never silently."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    row_count: int


@dataclass(frozen=True, slots=True)
class Extracted:
    """A document's text, fit for Postgres: newlines are LF, no NUL, no unpaired surrogates, NFC."""

    text: str
    mime_type: str
    page_starts: tuple[int, ...] = ()
    """Character offset of each page (slide) in `text`; empty when the format has none."""
    tables: tuple[Table, ...] = ()
    title: str | None = None
    is_markdown: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What a single file may cost, and whether pictures are read."""

    max_file_bytes: int
    max_text_chars: int
    ocr_languages: str | None = None
    """Tesseract's names; None: text in scans and pictures is not read."""


@dataclass(slots=True)
class ReaderOutput:
    """What a reader found, before the text is normalised and the limits are applied."""

    parts: list[str]
    paged: bool = False
    tables: tuple[Table, ...] = ()
    title: str | None = None
    is_markdown: bool = False
    mime_type: str | None = None


class Refusal(Exception):
    """A file that yields no text, for a reason that is part of the result.

    It is raised in the child, where `raglive_contract` is not loaded; the parent translates it.
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
    """Return the refusal of a file that nothing is wrong with."""
    return Refusal("skipped", code, message)


def failed(code: str, message: str, *, retryable: bool = False) -> Refusal:
    """Return the refusal of a file that should have been readable."""
    return Refusal("failed", code, message, retryable=retryable)
