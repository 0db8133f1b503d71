"""A pipeline's files for viewers: pages of a table, and one file with its attempts."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import asyncpg
import orjson

from raglive.store.accounting.spending import usage_of_file
from raglive.store.log.event_log import Head
from raglive.store.log.pipeline_status import read_within
from raglive.store.pool import Database
from raglive.store.sql import load_queries
from raglive_contract.error_advice import what_to_do
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.model import rfc3339
from raglive_contract.states import FileState
from raglive_contract.wire import (
    WireAttempt,
    WireChunkPage,
    WireFileDetail,
    WireFileError,
    WireFileRow,
    WireIndexedChunk,
    WireSkipReason,
)

__all__ = ["FileListing", "FileListingPage", "SortBy"]

_QUERIES = load_queries(__name__)

SortBy = Literal["updated", "name", "size"]
SHOWN_ATTEMPTS = 100
SHOWN_CHUNKS = 20
_BEFORE_FIRST_CHUNK = -1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATE_OF = {
    "waiting": FileState.QUEUED,
    "stuck": FileState.PROCESSING,
    "lost": FileState.PROCESSING,
}
_NOT_DELETED = [str(state) for state in FileState if state is not FileState.DELETED]


@dataclass(frozen=True, slots=True)
class _Sort:
    order: str
    after: str
    column: str


_SORTS: dict[SortBy, _Sort] = {
    "updated": _Sort(
        "updated_at DESC, file_key DESC",
        "(updated_at, file_key) < ({}::timestamptz, {}::bigint)",
        "updated_at",
    ),
    "name": _Sort(
        "lower(name), file_key", "(lower(name), file_key) > (lower({}::text), {}::bigint)", "name"
    ),
    "size": _Sort(
        "coalesce(size_bytes, -1) DESC, file_key DESC",
        "(coalesce(size_bytes, -1), file_key) < ({}::bigint, {}::bigint)",
        "size_bytes",
    ),
}


@dataclass(frozen=True, slots=True)
class FileListingPage:
    """Files in their wire form; `next` is the `after` of the next page, None on the last."""

    files: list[WireFileRow]
    next: str | None
    total: int


class FileListing:
    """Reads the files of a pipeline; every method may raise `DatabaseUnavailable`."""

    def __init__(self, database: Database, *, within_seconds: float = 10.0) -> None:
        self._database = database
        self._within_seconds = within_seconds

    async def page(
        self,
        head: Head,
        *,
        states: Sequence[str] = (),
        containing: str = "",
        sort: SortBy = "updated",
        limit: int = 50,
        after: str | None = None,
    ) -> FileListingPage:
        """Return files in the given states or standings; by default all but deleted files.

        `containing` is searched in folder and name, ignoring case. Raises `invalid_request` for an
        `after` of another order.
        """
        wanted = [str(state) for state in states] or _NOT_DELETED
        condition, args = _filter(wanted, containing, [head.pipeline_key, _states(wanted)])
        total = await self._fetch(_QUERIES["count_files"].format(condition=condition), *args)
        args = [head.pipeline_key, _states(wanted), limit + 1]
        condition, args = _filter(wanted, containing, args)
        if after is not None:
            follows = _SORTS[sort].after.format(f"${len(args) + 1}", f"${len(args) + 2}")
            condition += f" AND {follows}"
            args += _decode_position(sort, after)
        query = _QUERIES["file_page"].format(condition=condition, order=_SORTS[sort].order)
        rows = await self._fetch(query, *args)
        more = _encode_position(sort, rows[limit - 1]) if len(rows) > limit else None
        return FileListingPage([_file_row(row) for row in rows[:limit]], more, total[0][0])

    async def detail(self, head: Head, file_id: str) -> WireFileDetail:
        """Return a file with its attempts, latest first, its first chunks, and what it cost.

        Raises `not_found`.
        """
        row = await self._row(head, file_id)
        key = row["file_key"]
        attempts = await self._fetch(_QUERIES["attempts"], key, SHOWN_ATTEMPTS)
        chunks = await self._fetch(_QUERIES["chunk_page"], key, _BEFORE_FIRST_CHUNK, SHOWN_CHUNKS)
        count = await self._fetch(_QUERIES["chunk_count"], key)
        usage = await read_within(self._within_seconds, usage_of_file(self._database, key))
        file = _file_row(row)
        return {
            "file": file,
            "what_to_do": _advice(file),
            "usage": usage.wire(),
            "attempts": [_attempt(row) for row in attempts],
            "chunks": [_chunk(row) for row in chunks],
            "chunk_count": count[0][0],
        }

    async def chunks(
        self, head: Head, file_id: str, *, limit: int, after: int | None = None
    ) -> WireChunkPage:
        """Return a file's chunks in order, from the first or `after` a chunk index.

        Raises `not_found`.
        """
        key = (await self._row(head, file_id))["file_key"]
        start = _BEFORE_FIRST_CHUNK if after is None else after
        rows = await self._fetch(_QUERIES["chunk_page"], key, start, limit + 1)
        shown = [_chunk(row) for row in rows[:limit]]
        return {"chunks": shown, "next": shown[-1]["chunk_index"] if len(rows) > limit else None}

    async def _row(self, head: Head, file_id: str) -> asyncpg.Record:
        everything = [str(state) for state in FileState]
        query = _QUERIES["file_page"].format(condition="AND file_id = $4", order="file_key")
        rows = await self._fetch(query, head.pipeline_key, everything, 1, file_id)
        if not rows:
            raise RagliveError("The pipeline has no such file.", code=ErrorCode.NOT_FOUND)
        return rows[0]

    async def _fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        return await read_within(self._within_seconds, self._database.fetch(query, *args))


def _states(wanted: list[str]) -> list[str]:
    return sorted({str(_STATE_OF.get(state, state)) for state in wanted})


def _filter(wanted: list[str], containing: str, args: list[Any]) -> tuple[str, list[Any]]:
    """Return the conditions in addition to the states, and all arguments.

    `state <> 'deleted'` repeats the states, so that partial indexes with this condition are used.
    """
    condition = "" if FileState.DELETED in wanted else " AND state <> 'deleted'"
    if not _STATE_OF.keys().isdisjoint(wanted):
        args.append(wanted)
        condition += (
            f" AND (state = ANY (${len(args)}) OR raglive.standing(files) = ANY (${len(args)}))"
        )
    if containing:
        args.append(containing)
        condition += f" AND position(lower(${len(args)}) in lower(folder || '/' || name)) > 0"
    return condition, args


def _encode_position(sort: SortBy, row: asyncpg.Record) -> str:
    value = row[_SORTS[sort].column]
    if sort == "updated":
        value = (value - _EPOCH) // timedelta(microseconds=1)
    elif sort == "size" and value is None:
        value = -1
    return base64.urlsafe_b64encode(orjson.dumps([sort, value, row["file_key"]])).decode()


def _decode_position(sort: SortBy, text: str) -> list[Any]:
    try:
        match orjson.loads(base64.urlsafe_b64decode(text)):
            case ["updated", int(moment), int(key)] if sort == "updated":
                return [_EPOCH + timedelta(microseconds=moment), key]
            case ["name", str(name), int(key)] if sort == "name" and "\0" not in name:
                return [name, key]
            case ["size", int(size), int(key)] if sort == "size" and size < 2**63:
                return [size, key]
    except (ValueError, OverflowError):
        pass
    raise RagliveError(
        "`after` cannot be read. Pass on the `next` of a page of the same order.",
        code=ErrorCode.INVALID_REQUEST,
    )


def _file_row(row: asyncpg.Record) -> WireFileRow:
    return {
        "id": row["file_id"],
        "name": row["name"],
        "folder": row["folder"],
        "url": row["url"],
        "mime_type": row["mime_type"],
        "size": row["size_bytes"],
        "state": row["state"],
        "standing": row["standing"],
        "processing_stage": row["stage"],
        "progress": None if row["progress"] is None else round(row["progress"], 4),
        "attempt": row["attempt"],
        "results": row["results"],
        "error": row["error"],
        "reason": row["reason"],
        "first_seen_at": rfc3339(row["first_seen_at"]),
        "started_at": _time(row["started_at"]),
        "finished_at": _time(row["finished_at"]),
        "updated_at": rfc3339(row["updated_at"]),
        "moved_at": _time(row["moved_at"]),
        "next_attempt_at": _time(row["next_attempt_at"]),
    }


def _advice(file: WireFileRow) -> str | None:
    reason: WireFileError | WireSkipReason | None = None
    if file["standing"] in {"failed", "waiting"}:
        reason = file["error"]
    elif file["standing"] == "skipped":
        reason = file["reason"]
    return what_to_do(reason["code"], is_waiting=file["standing"] == "waiting") if reason else None


def _attempt(row: asyncpg.Record) -> WireAttempt:
    return {
        "attempt": row["attempt"],
        "worker": row["worker"],
        "started_at": rfc3339(row["started_at"]),
        "finished_at": _time(row["finished_at"]),
        "outcome": row["outcome"],
        "stages": row["stages"],
        "error": row["error"],
    }


def _chunk(row: asyncpg.Record) -> WireIndexedChunk:
    return {
        "chunk_index": row["chunk_index"],
        "content": row["content"],
        "page": row["page"],
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
