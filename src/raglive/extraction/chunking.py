"""Splits text into overlapping chunks; an edit only changes the chunks around it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from raglive.extraction.model import Extracted

__all__ = ["OVERLAP_CHARS", "TARGET_CHARS", "Chunk", "Span", "chunks_of", "find_spans", "split"]

TARGET_CHARS = 1_000
"""About 170 words. The built-in model averages word vectors, so a chunk must have one topic."""
OVERLAP_CHARS = 100

Span = tuple[int, int, int | None]
"""Start and end (character offsets), and the page on which the part after the overlap begins."""

_HEADING = re.compile(r"\n(?=#{1,6} )")
# Boundaries, best first. Line breaks come late, because PDFs and mails break lines anywhere.
_BOUNDARIES = (
    re.compile(r"\n[ \t]*\n\s*"),
    re.compile(r"[.!?:;…\u3002\uff01\uff1f]['\"”\u2019)\]]*\n"),
    re.compile(r"[.!?…]['\"”\u2019)\]]*\s+(?=[^a-z\s])|[\u3002\uff01\uff1f]"),
    re.compile(r"\n"),
    re.compile(r"\s+"),
)
_MARKDOWN_BOUNDARIES = (_HEADING, *_BOUNDARIES)
_TAIL = 1.25
_FINGERPRINT_CHARS = 24
_JOINERS = frozenset("\u200d\ufe0e\ufe0f")
_NON_SPACE = re.compile(r"\S")
_LINE_START = re.compile(r"\n\s*(?=\S)")
_WORD_START = re.compile(r"\s+(?=\S)")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a document: `text` is `extracted.text[start:end]`. Pages count from 1."""

    index: int
    text: str
    start: int
    end: int
    page: int | None
    content_hash: bytes


def split(
    extracted: Extracted, *, target_chars: int = TARGET_CHARS, overlap_chars: int = OVERLAP_CHARS
) -> list[Chunk]:
    """Split a document; chunks have at most 1.25 * `target_chars` + `overlap_chars` characters."""
    spans = find_spans(extracted, target_chars=target_chars, overlap_chars=overlap_chars)
    return chunks_of(extracted.text, list(spans))


def chunks_of(text: str, spans: Sequence[Span]) -> list[Chunk]:
    """Return the chunks at these spans of a text, with the hashes of their content."""
    chunks = []
    for index, (start, end, page) in enumerate(spans):
        piece = text[start:end]
        digest = hashlib.sha256(piece.encode()).digest()
        chunks.append(Chunk(index, piece, start, end, page, digest))
    return chunks


def find_spans(
    extracted: Extracted, *, target_chars: int = TARGET_CHARS, overlap_chars: int = OVERLAP_CHARS
) -> Iterator[Span]:
    """Yield the spans of a document's chunks, in order. Raises ValueError for unusable sizes."""
    if target_chars < 50 or not 0 <= overlap_chars <= target_chars // 2:
        raise ValueError("a chunk needs 50 characters, and an overlap of at most half of them")
    text, pages = extracted.text, extracted.page_starts
    boundaries = _MARKDOWN_BOUNDARIES if extracted.is_markdown else _BOUNDARIES
    previous = start = _skip_space(text, 0)
    while start < len(text):
        end = _cut(text, start, target_chars, boundaries)
        page = bisect_right(pages, start) or None
        first = _overlapped(text, start, max(previous, start - overlap_chars))
        yield first, _trimmed_end(text, start, end), page
        previous, start = start, _skip_space(text, end)


def _cut(text: str, start: int, target: int, boundaries: Sequence[re.Pattern[str]]) -> int:
    """Return the end of the chunk that begins at `start`.

    Among boundaries of the same kind, the text that follows each decides, and not the distance.
    An insertion therefore only moves the boundaries around it, and the other chunks keep their
    embeddings.
    """
    if len(text) - start <= target * _TAIL:
        return len(text)
    low, high = start + target // 2, start + target
    for boundary in boundaries:
        ends = [found.end() for found in boundary.finditer(text, low, high)]
        if ends:
            return min(ends, key=lambda end: _fingerprint(text, end))
    return _whole_character(text, low, high)


def _fingerprint(text: str, position: int) -> int:
    return zlib.crc32(text[position : position + _FINGERPRINT_CHARS].encode())


def _whole_character(text: str, low: int, high: int) -> int:
    """Step back from `high` to a position that separates no combining character or joined emoji."""
    for end in range(high, low, -1):
        following = text[end]
        joined = unicodedata.combining(following) or following in _JOINERS
        if not joined and text[end - 1] != "\u200d":
            return end
    return high


def _overlapped(text: str, start: int, earliest: int) -> int:
    """Return where a chunk begins so that its overlap consists of whole lines, or else words."""
    if earliest >= start:
        return start
    found = _LINE_START.search(text, earliest, start) or _WORD_START.search(text, earliest, start)
    return found.end() if found else start


def _skip_space(text: str, position: int) -> int:
    found = _NON_SPACE.search(text, position)
    return found.start() if found else len(text)


def _trimmed_end(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1].isspace():
        end -= 1
    return end
