"""The checkpoint of an attempt: extracted and chunked text, saved so that a retry can embed it."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson

from raglive.extraction.chunking import Chunk, chunks_of
from raglive.extraction.model import Extracted

__all__ = ["ChunkedDocument", "deserialize", "serialize"]

COMPRESSION_LEVEL = 1


@dataclass(frozen=True, slots=True)
class ChunkedDocument:
    """Everything that the index will hold of a document, except for the vectors.

    `rows` are the rows of its tables: name of the table, index of the row, and cells by column.
    """

    text: str
    chunks: Sequence[Chunk]
    rows: Sequence[tuple[str, int, dict[str, Any]]]
    title: str | None
    mime_type: str
    is_saved: bool = False

    @classmethod
    def of(cls, extracted: Extracted, chunks: Sequence[Chunk]) -> Self:
        """Combine the result of extraction with its chunks."""
        rows = [
            (table.name, index, dict(zip(table.columns, row, strict=False)))
            for table in extracted.tables
            for index, row in enumerate(table.rows)
        ]
        return cls(extracted.text, chunks, rows, extracted.title, extracted.mime_type)

    @property
    def content_length(self) -> int:
        """Length of the text in characters."""
        return len(self.text)


async def serialize(document: ChunkedDocument) -> bytes:
    """Compress a document to the bytes of a checkpoint, in a thread."""
    return await asyncio.to_thread(_serialize, document)


async def deserialize(content: bytes) -> ChunkedDocument:
    """Restore a document from the bytes of a checkpoint, in a thread."""
    return await asyncio.to_thread(_deserialize, content)


def _serialize(document: ChunkedDocument) -> bytes:
    body = {
        "text": document.text,
        "spans": [(chunk.start, chunk.end, chunk.page) for chunk in document.chunks],
        "rows": document.rows,
        "title": document.title,
        "mime_type": document.mime_type,
    }
    return zlib.compress(orjson.dumps(body), COMPRESSION_LEVEL)


def _deserialize(content: bytes) -> ChunkedDocument:
    body = orjson.loads(zlib.decompress(content))
    spans = [tuple(span) for span in body["spans"]]
    rows = [(dataset, index, data) for dataset, index, data in body["rows"]]
    chunks = chunks_of(body["text"], spans)
    return ChunkedDocument(
        body["text"], chunks, rows, body["title"], body["mime_type"], is_saved=True
    )
