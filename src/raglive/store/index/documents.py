"""The documents of the index: the chunks and table rows of a file, replaced as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from raglive.store.index.drafts import delete_drafts
from raglive.store.index.vector_cache import Vector, delete_cached
from raglive.store.pool import Connection
from raglive.store.sql import load_queries

__all__ = [
    "Document",
    "EmbeddedChunk",
    "delete_documents",
    "replace_document",
    "replace_documents",
]

_QUERIES = load_queries(__name__)

_CHUNK_COLUMNS = (
    "file_key",
    "chunk_index",
    "content",
    "content_hash",
    "start_offset",
    "end_offset",
    "page",
    "embedding",
)
_ROW_COLUMNS = ("file_key", "dataset", "row_index", "row_data")


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
    """What the index stores of one file; rows are `(dataset, index, data)`."""

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
    """Replace a file's chunks and rows, and nothing else of the file."""
    await _replace(connection, [Document(file_key, chunks, rows)])


async def replace_documents(connection: Connection, documents: Sequence[Document]) -> None:
    """Replace chunks, rows, title and MIME type; delete what drafts and cache hold of them."""
    await _replace(connection, documents)
    await delete_drafts(connection, [document.file_key for document in documents])
    hashes = [chunk.content_hash for document in documents for chunk in document.chunks]
    await delete_cached(connection, hashes)
    await connection.execute(
        _QUERIES["describe"],
        [document.file_key for document in documents],
        [document.title for document in documents],
        [document.mime_type for document in documents],
    )


async def delete_documents(connection: Connection, file_keys: Sequence[int]) -> None:
    """Delete everything that the index holds of files, their drafts too."""
    await _delete(connection, file_keys)
    await delete_drafts(connection, file_keys)


async def _delete(connection: Connection, file_keys: Sequence[int]) -> None:
    await connection.execute(_QUERIES["delete_chunks"], file_keys)
    await connection.execute(_QUERIES["delete_rows"], file_keys)


async def _replace(connection: Connection, documents: Sequence[Document]) -> None:
    await _delete(connection, [document.file_key for document in documents])
    await connection.copy_records_to_table(
        "chunks",
        schema_name="raglive",
        columns=_CHUNK_COLUMNS,
        records=[
            (one.file_key, c.index, c.text, c.content_hash, c.start, c.end, c.page, c.embedding)
            for one in documents
            for c in one.chunks
        ],
    )
    rows = [(one.file_key, *row) for one in documents for row in one.rows]
    if rows:
        await connection.copy_records_to_table(
            "dataset_rows", schema_name="raglive", columns=_ROW_COLUMNS, records=rows
        )
