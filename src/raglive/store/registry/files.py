"""The registry of a pipeline's files as its watcher keeps it: what is new, changed, moved, gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import asyncpg

from raglive.store.log.event_log import append_events
from raglive.store.pool import Connection
from raglive.store.registry.pipelines import PipelineRecord, new_event
from raglive.store.sql import load_queries
from raglive_contract.model import rfc3339

__all__ = ["KnownFile", "Observed", "Reconciliation", "Registry"]

_QUERIES = load_queries("registry/files")
_KEPT = load_queries("accounting/saved_work")

MENTIONED = 50  # files that a status:update names; the others are counted

GoneReason = Literal["removed", "trashed", "moved_out"]


@dataclass(frozen=True, slots=True)
class Observed:
    """A file as the watcher sees it at its source.

    `location` is where it is read from, unique among the pipeline's files at any time; `source` is
    what the watcher itself needs to tell one version, and one file, from another.
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
    """A file as the registry has it."""

    file_key: int
    file_id: str
    location: str
    name: str
    folder: str
    size_bytes: int | None
    state: str
    source: dict[str, Any]


@dataclass(slots=True)
class Reconciliation:
    """How the source differs from the registry."""

    new: list[Observed] = field(default_factory=list)
    changed: list[tuple[KnownFile, Observed]] = field(default_factory=list)
    moved: list[tuple[KnownFile, Observed]] = field(default_factory=list)
    gone: list[KnownFile] = field(default_factory=list)
    gone_reason: GoneReason = "removed"

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.moved or self.gone)


class Registry:
    """The files of one pipeline, as its watcher changes them."""

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

    async def apply(
        self, difference: Reconciliation, watch_state: dict[str, Any] | None = None
    ) -> None:
        """Bring registry, index and log to what the watcher saw, in one transaction."""
        async with self._record.database.transaction() as connection:
            events = await self.write(connection, difference)
            if watch_state is not None:
                await self._record.keep_watch_state(connection, watch_state)
            if events:
                await append_events(connection, self._record.key, events)

    async def write(
        self, connection: Connection, difference: Reconciliation
    ) -> list[dict[str, Any]]:
        """Bring the registry to what the watcher saw; return the events to append at last."""
        gone = await self._lock(connection, difference)
        await self._enqueue(connection, difference)
        await self._move(connection, difference.moved)
        return await self._delete(connection, gone, difference.gone_reason) + _summary(difference)

    async def _enqueue(self, connection: Connection, difference: Reconciliation) -> None:
        if difference.new:
            new = difference.new
            await connection.execute(
                _QUERIES["enqueue_new"],
                self._record.key,
                [file.file_id for file in new],
                *_places(new),
                [file.mime_type for file in new],
                [file.size_bytes for file in new],
                [file.source for file in new],
            )
        if difference.changed:
            await connection.execute(
                _QUERIES["enqueue_changed"],
                [known.file_key for known, _ in difference.changed],
                [seen.size_bytes for _, seen in difference.changed],
                [seen.mime_type for _, seen in difference.changed],
                [seen.source for _, seen in difference.changed],
            )

    async def _move(
        self, connection: Connection, moved: Sequence[tuple[KnownFile, Observed]]
    ) -> None:
        if moved:
            await connection.execute(
                _QUERIES["move"],
                [known.file_key for known, _ in moved],
                *_places([seen for _, seen in moved]),
                [seen.source for _, seen in moved],
            )

    async def _lock(
        self, connection: Connection, difference: Reconciliation
    ) -> list[asyncpg.Record]:
        """Lock the files that change; return those of them that are gone."""
        gone = {file.file_key for file in difference.gone}
        changing = [known for known, _ in difference.changed + difference.moved]
        keys = sorted(gone.union(file.file_key for file in changing))
        rows = await connection.fetch(_QUERIES["lock_files"], keys) if keys else []
        return [row for row in rows if row["file_key"] in gone]

    async def _delete(
        self, connection: Connection, gone: Sequence[asyncpg.Record], reason: GoneReason
    ) -> list[dict[str, Any]]:
        if not gone:
            return []
        keys = [row["file_key"] for row in gone]
        await connection.execute(_QUERIES["drop_chunks"], keys)
        await connection.execute(_QUERIES["drop_rows"], keys)
        await connection.execute(_KEPT["drop_drafts"], keys)
        now = rfc3339(datetime.now(UTC))
        return [
            new_event(
                "file:deleted",
                file={"id": row["file_id"], "name": row["name"], "deleted_at": now},
                reason=reason,
            )
            for row in gone
        ]


def _places(files: Sequence[Observed]) -> list[list[str | None]]:
    return [
        [file.location for file in files],
        [file.name for file in files],
        [file.folder for file in files],
        [file.url for file in files],
    ]


def _summary(difference: Reconciliation) -> list[dict[str, Any]]:
    changes: dict[str, Any] = {}
    queued = [{"id": file.file_id, "name": file.name} for file in difference.new]
    queued += [{"id": known.file_id, "name": known.name} for known, _ in difference.changed]
    if queued:
        changes["files_queued"] = _mention(queued)
    if difference.moved:
        changes["files_moved"] = _mention(
            {
                "id": known.file_id,
                "name": seen.name,
                "folder": seen.folder,
                "previous_name": known.name,
                "previous_folder": known.folder,
            }
            for known, seen in difference.moved
        )
    return [new_event("status:update", changes=changes)] if changes else []


def _mention(files: Iterable[dict[str, str]]) -> dict[str, Any]:
    named = list(files)
    return {"count": len(named), "files": named[:MENTIONED]}
