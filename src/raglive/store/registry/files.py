"""The registry of a pipeline's files, to which its watcher applies what changed at the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import asyncpg

from raglive.store.index.documents import delete_documents
from raglive.store.log.event_log import append_events
from raglive.store.pool import Connection
from raglive.store.registry.pipelines import MENTIONED, PipelineRecord, mention, new_event
from raglive.store.sql import load_queries
from raglive_contract.model import rfc3339

__all__ = ["FileChanges", "GoneReason", "KnownFile", "ObservedFile", "Registry"]

_QUERIES = load_queries(__name__)

GoneReason = Literal["removed", "trashed", "moved_out"]


@dataclass(frozen=True, slots=True)
class ObservedFile:
    """A file as the watcher observes it at the source.

    `location` is where it is read from, unique among the pipeline's files at any time. `source` is
    what the watcher needs to tell versions and files apart.
    """

    file_id: str
    location: str
    name: str
    folder: str
    url: str | None
    mime_type: str | None
    size_bytes: int | None
    source: dict[str, Any]


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file as the registry holds it."""

    file_key: int
    file_id: str
    location: str
    name: str
    folder: str
    size_bytes: int | None
    state: str
    source: dict[str, Any]


@dataclass(slots=True)
class FileChanges:
    """The differences between the source and the registry."""

    new: list[ObservedFile] = field(default_factory=list)
    changed: list[tuple[KnownFile, ObservedFile]] = field(default_factory=list)
    moved: list[tuple[KnownFile, ObservedFile]] = field(default_factory=list)
    gone: list[KnownFile] = field(default_factory=list)
    gone_reason: GoneReason = "removed"

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.moved or self.gone)


class Registry:
    """The files of one pipeline, for its watcher."""

    def __init__(self, record: PipelineRecord) -> None:
        self._record = record

    async def known(self) -> list[KnownFile]:
        """Return every file that is not deleted."""
        rows = await self._record.database.fetch(_QUERIES["known"], self._record.key)
        return [KnownFile(**dict(row)) for row in rows]

    async def keys_of(self, file_ids: Sequence[str]) -> dict[str, int]:
        """Return the keys of the files with these ids."""
        rows = await self._record.database.fetch(
            _QUERIES["keys_of"], self._record.key, list(file_ids)
        )
        return {row["file_id"]: row["file_key"] for row in rows}

    async def apply(self, changes: FileChanges, watch_state: dict[str, Any] | None = None) -> None:
        """Apply changes to registry, index and log, and save the state, in one transaction."""
        async with self._record.database.transaction() as connection:
            events = await self.write(connection, changes)
            if watch_state is not None:
                await self._record.save_watch_state(connection, watch_state)
            if events:
                await append_events(connection, self._record.key, events)

    async def write(self, connection: Connection, changes: FileChanges) -> list[dict[str, Any]]:
        """Apply changes to registry and index; return the events that the caller appends last."""
        gone = await self._lock(connection, changes)
        await self._enqueue(connection, changes)
        await self._move(connection, changes.moved)
        return await self._delete(connection, gone, changes.gone_reason) + _summary(changes)

    async def _enqueue(self, connection: Connection, changes: FileChanges) -> None:
        if changes.new:
            new = changes.new
            await connection.execute(
                _QUERIES["enqueue_new"],
                self._record.key,
                [file.file_id for file in new],
                *_places(new),
                [file.mime_type for file in new],
                [file.size_bytes for file in new],
                [file.source for file in new],
            )
        if changes.changed:
            await connection.execute(
                _QUERIES["enqueue_changed"],
                [known.file_key for known, _ in changes.changed],
                [seen.size_bytes for _, seen in changes.changed],
                [seen.mime_type for _, seen in changes.changed],
                [seen.source for _, seen in changes.changed],
            )

    async def _move(
        self, connection: Connection, moved: Sequence[tuple[KnownFile, ObservedFile]]
    ) -> None:
        if moved:
            await connection.execute(
                _QUERIES["move"],
                [known.file_key for known, _ in moved],
                *_places([seen for _, seen in moved]),
                [seen.source for _, seen in moved],
            )

    async def _lock(self, connection: Connection, changes: FileChanges) -> list[asyncpg.Record]:
        """Lock the files that change; return the rows of those that are gone."""
        gone = {file.file_key for file in changes.gone}
        changing = [known for known, _ in changes.changed + changes.moved]
        keys = sorted(gone.union(file.file_key for file in changing))
        rows = await connection.fetch(_QUERIES["lock_files"], keys) if keys else []
        return [row for row in rows if row["file_key"] in gone]

    async def _delete(
        self, connection: Connection, gone: Sequence[asyncpg.Record], reason: GoneReason
    ) -> list[dict[str, Any]]:
        if not gone:
            return []
        keys = [row["file_key"] for row in gone]
        await delete_documents(connection, keys)
        now = rfc3339(datetime.now(UTC))
        return [
            new_event(
                "file:deleted",
                file={"id": row["file_id"], "name": row["name"], "deleted_at": now},
                reason=reason,
            )
            for row in gone
        ]


def _places(files: Sequence[ObservedFile]) -> list[list[str | None]]:
    return [
        [file.location for file in files],
        [file.name for file in files],
        [file.folder for file in files],
        [file.url for file in files],
    ]


def _summary(changes: FileChanges) -> list[dict[str, Any]]:
    stated: dict[str, Any] = {}
    queued: list[ObservedFile | KnownFile] = [
        *changes.new,
        *(known for known, _ in changes.changed),
    ]
    if queued:
        stated["files_queued"] = mention(
            [{"file_id": file.file_id, "name": file.name} for file in queued]
        )
    if changes.moved:
        moved = [_move(known, seen) for known, seen in changes.moved[:MENTIONED]]
        stated["files_moved"] = {"count": len(changes.moved), "files": moved}
    return [new_event("status:update", changes=stated)] if stated else []


def _move(known: KnownFile, seen: ObservedFile) -> dict[str, str]:
    return {
        "id": known.file_id,
        "name": seen.name,
        "folder": seen.folder,
        "previous_name": known.name,
        "previous_folder": known.folder,
    }
