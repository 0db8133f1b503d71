"""The index: a file's chunks with their vectors, replaced as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raglive.store.pool import Connection, Database
from raglive.store.sql import load_queries

__all__ = [
    "Document",
    "Documents",
    "EmbeddedChunk",
    "Vector",
    "drop_kept",
    "replace_document",
    "replace_documents",
]

_QUERIES = load_queries("index/documents")
_REGISTRY = load_queries("registry/files")
_KEPT = load_queries("accounting/saved_work")

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EmbeddedChunk:
    """A chunk of a file's text with its vector; offsets in characters, pages from 1."""

    index: int
    text: str
    start: int
    end: int
    page: int | None
    content_hash: bytes
    embedding: Vector


@dataclass(frozen=True, slots=True)
class Document:
    """What is stored of one file; rows are `(dataset, index, data)`."""

    file_key: int
    chunks: Sequence[EmbeddedChunk]
    rows: Sequence[tuple[str, int, dict[str, Any]]] = ()
    title: str | None = None
    mime_type: str | None = None


async def replace_document(
    connection: Connection,
    file_key: int,
    chunks: Sequence[EmbeddedChunk],
    rows: Sequence[tuple[str, int, dict[str, Any]]] = (),
) -> None:
    """Put a file's chunks and rows in place of the old ones."""
    await _replace(connection, [Document(file_key, chunks, rows)])


async def replace_documents(connection: Connection, documents: Sequence[Document]) -> None:
    """Put chunks, rows, title and type of several files in place of the old ones."""
    await _replace(connection, documents)
    await drop_kept(connection, documents)
    await connection.execute(
        _QUERIES["describe"],
        [document.file_key for document in documents],
        [document.title for document in documents],
        [document.mime_type for document in documents],
    )


async def drop_kept(connection: Connection, documents: Sequence[Document]) -> None:
    """Let go of what was kept for these documents until they are stored."""
    await connection.execute(_KEPT["drop_drafts"], [document.file_key for document in documents])
    hashes = [chunk.content_hash for document in documents for chunk in document.chunks]
    await connection.execute(_KEPT["drop_vectors"], hashes)


async def _replace(connection: Connection, documents: Sequence[Document]) -> None:
    keys = [document.file_key for document in documents]
    await connection.execute(_REGISTRY["drop_chunks"], keys)
    await connection.execute(_REGISTRY["drop_rows"], keys)
    await connection.copy_records_to_table(
        "chunks",
        schema_name="raglive",
        columns=[
            "file_key",
            "chunk_index",
            "content",
            "content_hash",
            "start_offset",
            "end_offset",
            "page",
            "embedding",
        ],
        records=[
            (one.file_key, c.index, c.text, c.content_hash, c.start, c.end, c.page, c.embedding)
            for one in documents
            for c in one.chunks
        ],
    )
    rows = [(one.file_key, *row) for one in documents for row in one.rows]
    if rows:
        await connection.copy_records_to_table(
            "dataset_rows",
            schema_name="raglive",
            columns=["file_key", "dataset", "row_index", "row_data"],
            records=rows,
        )


class Documents:
    """What is stored of all files, as far as one model made it."""

    def __init__(self, database: Database, model_key: int) -> None:
        self._database = database
        self._model_key = model_key

    async def known_embeddings(self, content_hashes: Sequence[bytes]) -> dict[bytes, Vector]:
        """Return the vectors of those chunks whose text is stored already."""
        rows = await self._database.fetch(
            _QUERIES["known_embeddings"], list(content_hashes), self._model_key
        )
        return {bytes(row["content_hash"]): _vector(row["embedding"]) for row in rows}


def _vector(stored: Any) -> Vector:
    return np.asarray(stored.to_numpy() if hasattr(stored, "to_numpy") else stored, np.float32)
