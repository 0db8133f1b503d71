"""A document read and cut, as it is kept until all of its chunks are embedded."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson

from raglive.extraction.chunking import Chunk, chunks_of
from raglive.extraction.model import Extracted

__all__ = ["Draft", "packed", "unpacked"]

FASTEST = 1


@dataclass(frozen=True, slots=True)
class Draft:
    """What the index will hold of a document, but for the vectors."""

    text: str
    chunks: Sequence[Chunk]
    rows: Sequence[tuple[str, int, dict[str, Any]]]
    title: str | None
    mime_type: str
    is_kept: bool = False

    @classmethod
    def of(cls, extracted: Extracted, chunks: Sequence[Chunk]) -> Self:
        """Return the draft of what was extracted."""
        rows = [
            (table.name, index, dict(zip(table.columns, row, strict=False)))
            for table in extracted.tables
            for index, row in enumerate(table.rows)
        ]
        return cls(extracted.text, chunks, rows, extracted.title, extracted.mime_type)

    @property
    def content_length(self) -> int:
        """Return the number of its characters."""
        return len(self.text)


async def packed(draft: Draft) -> bytes:
    """Return the draft as bytes."""
    return await asyncio.to_thread(_packed, draft)


async def unpacked(content: bytes) -> Draft:
    """Return the draft that was packed."""
    return await asyncio.to_thread(_unpacked, content)


def _packed(draft: Draft) -> bytes:
    body = {
        "text": draft.text,
        "spans": [(chunk.start, chunk.end, chunk.page) for chunk in draft.chunks],
        "rows": draft.rows,
        "title": draft.title,
        "mime_type": draft.mime_type,
    }
    return zlib.compress(orjson.dumps(body), FASTEST)


def _unpacked(content: bytes) -> Draft:
    body = orjson.loads(zlib.decompress(content))
    spans = [tuple(span) for span in body["spans"]]
    rows = [(dataset, index, data) for dataset, index, data in body["rows"]]
    chunks = chunks_of(body["text"], spans)
    return Draft(body["text"], chunks, rows, body["title"], body["mime_type"], is_kept=True)
