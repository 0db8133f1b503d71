"""The log: appends events in the caller's transaction, and reads them back in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, cast

import asyncpg
import orjson

from raglive.store.pool import Connection, Database
from raglive.store.sql import load_queries
from raglive_contract.cursor import LogRange, Position, cursor_at
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.model import rfc3339
from raglive_contract.wire import NewEvent, WireDurableEvent, WireSubmittedEvent

__all__ = [
    "Appended",
    "EventLog",
    "Head",
    "LoggedEvent",
    "PipelineRemoved",
    "append_events",
    "external_pipeline_key",
    "logged_event",
    "publish_events",
]

_QUERIES = load_queries(__name__)
_REFUSED = (
    asyncpg.InvalidParameterValueError,
    asyncpg.ObjectInUseError,
    asyncpg.ObjectNotInPrerequisiteStateError,
)
REMOVAL_RETRY_MS = 2000
COUNTED_STATES = ("queued", "processing", "completed", "failed", "skipped")


class PipelineRemoved(RagliveError):
    """`raglive pipeline remove` has removed the pipeline while this process did not answer."""

    code = ErrorCode.CONFLICT

    def __init__(self) -> None:
        super().__init__(
            "The pipeline of this process has been removed. Start it again to index its source "
            "again."
        )


@dataclass(frozen=True, slots=True)
class Head:
    """The end of one pipeline's log, and how many files were in each state at that moment.

    `counts` are the numbers of files queued, in progress, completed, failed and skipped.
    """

    pipeline_key: int
    pipeline_id: str
    pipeline_type: str
    epoch: str
    seq: int
    digest: bytes
    oldest_seq: int = 1
    counts: tuple[int, ...] = (0, 0, 0, 0, 0)

    @property
    def position(self) -> Position:
        """The position of a viewer that has seen every event."""
        return Position(self.epoch, self.seq)

    @property
    def range(self) -> LogRange:
        """The events that the log holds, as far as a cursor is concerned."""
        return LogRange(self.epoch, self.oldest_seq, self.seq)

    @classmethod
    def of_row(cls, row: asyncpg.Record) -> Self:
        """Read a row of the queries `heads`, `head` or `pipelines`."""
        return cls(
            row["pipeline_key"],
            row["pipeline_id"],
            row["pipeline_type"],
            row["epoch"],
            row["seq"],
            bytes(row["digest"]),
            row["oldest_seq"],
            tuple(row[state] for state in COUNTED_STATES),
        )


@dataclass(frozen=True)
class LoggedEvent:
    """A durable event of the log; `occurred_at` is in seconds since 1970."""

    seq: int
    digest: bytes
    occurred_at: float
    envelope: dict[str, object]
    payload: str

    @cached_property
    def event(self) -> WireDurableEvent:
        """The wire form.

        It is decoded on first use: to decode a page of large events at once would hold the event
        loop. The payload was checked against the contract when it was appended.
        """
        return cast("WireDurableEvent", {**self.envelope, **orjson.loads(self.payload)})


@dataclass(frozen=True, slots=True)
class Appended:
    """The result of a publication: how many events were new, and the head after them."""

    accepted: int
    duplicates: int
    cursor: str
    seq: int
    digest: bytes


async def append_events(
    connection: Connection, pipeline_key: int, events: Sequence[NewEvent]
) -> Appended:
    """Append events in their wire form, as the last statement of the caller's transaction.

    Raises `PipelineRemoved`, and `invalid_event` for text that the database cannot hold.
    """
    try:
        row = await connection.fetchrow(_QUERIES["append"], pipeline_key, list(events))
    except asyncpg.NoDataFoundError:
        raise PipelineRemoved from None
    except (asyncpg.UntranslatableCharacterError, asyncpg.DataError) as error:
        raise _not_storable(error) from error
    assert row is not None
    return Appended(*row)


async def publish_events(
    connection: Connection,
    pipeline_id: str,
    pipeline_type: str | None,
    events: Sequence[NewEvent | WireSubmittedEvent] | orjson.Fragment,
) -> Appended:
    """Append events to a pipeline in one statement; a new pipeline is created if its type is given.

    `events` may be the text of a JSON array. Outside a transaction the events are committed on
    return. Raises what `external_pipeline_key` and `append_events` do.
    """
    try:
        row = await connection.fetchrow(_QUERIES["publish"], pipeline_id, pipeline_type, events)
    except _REFUSED as error:  # some are also a DataError
        raise _refusal(error) from error
    except (asyncpg.UntranslatableCharacterError, asyncpg.DataError) as error:
        raise _not_storable(error) from error
    assert row is not None
    return Appended(*row)


async def external_pipeline_key(
    connection: Connection, pipeline_id: str, pipeline_type: str | None
) -> tuple[int, str]:
    """Look up a pipeline's key and type; a new pipeline is created if its type is given.

    Raises `invalid_event` for an unknown pipeline without a type, and for a type that differs, and
    `pipeline_managed` for a pipeline that raglive runs, `unavailable` while one is being removed.
    """
    try:
        row = await connection.fetchrow(
            _QUERIES["external_pipeline_key"], pipeline_id, pipeline_type
        )
    except _REFUSED as error:
        raise _refusal(error) from error
    if row is None:  # created by this call, after the statement's snapshot
        row = await connection.fetchrow(
            _QUERIES["external_pipeline_key"], pipeline_id, pipeline_type
        )
    assert row is not None
    return row["pipeline_key"], row["pipeline_type"]


class EventLog:
    """Reads the log of every pipeline, and publishes in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def heads(self) -> list[Head]:
        """Read the head of every pipeline, in one statement."""
        return [Head.of_row(row) for row in await self._database.fetch(_QUERIES["heads"])]

    async def begin_epoch(self, head: Head) -> None:
        """Give a log another epoch, so that no cursor continues in it; others may have done so."""
        await self._database.execute(_QUERIES["begin_epoch"], head.pipeline_key, head.epoch)

    async def unfinished(self) -> dict[str, tuple[int, bool]]:
        """Read, by epoch, each head's seq and whether its pipeline has nothing left to do."""
        rows = await self._database.fetch(_QUERIES["unfinished"])
        return {row["epoch"]: (row["seq"], row["idle"]) for row in rows}

    async def read_after(self, head: Head, seq: int, limit: int) -> list[LoggedEvent]:
        """Read at most `limit` events after `seq`, in order."""
        rows = await self._database.fetch(_QUERIES["read_after"], head.pipeline_key, seq, limit)
        return [logged_event(head, row) for row in rows]

    async def digest_at(self, head: Head, seq: int) -> bytes | None:
        """Read the digest after `seq`; None if the log does not hold that event."""
        if seq == 0:
            return b""
        row = await self._database.fetchval(_QUERIES["digest_at"], head.pipeline_key, seq)
        return None if row is None else bytes(row)

    async def publish(
        self, pipeline_id: str, pipeline_type: str | None, events: Sequence[NewEvent]
    ) -> Appended:
        """Publish events of one pipeline; they are committed on return."""
        async with self._database.connection() as connection:
            return await publish_events(connection, pipeline_id, pipeline_type, events)


def _refusal(error: asyncpg.PostgresError) -> RagliveError:
    if isinstance(error, asyncpg.ObjectInUseError):
        return RagliveError(
            str(error), code=ErrorCode.UNAVAILABLE, retryable=True, retry_after_ms=REMOVAL_RETRY_MS
        )
    is_managed = isinstance(error, asyncpg.ObjectNotInPrerequisiteStateError)
    code = ErrorCode.PIPELINE_MANAGED if is_managed else ErrorCode.INVALID_EVENT
    return RagliveError(str(error), code=code)


def _not_storable(error: Exception) -> RagliveError:
    return RagliveError(f"The event cannot be stored: {error}", code=ErrorCode.INVALID_EVENT)


def logged_event(head: Head, row: Iterable[Any]) -> LoggedEvent:
    """Build the event of a row `seq, id, type, occurred_at, payload, digest`."""
    seq, event_id, event_type, occurred_at, payload, digest = row
    envelope = {
        "id": str(event_id),
        "type": event_type,
        "pipeline_id": head.pipeline_id,
        "pipeline_type": head.pipeline_type,
        "timestamp": rfc3339(occurred_at),
        "seq": seq,
        "cursor": cursor_at(head.epoch, seq),
    }
    return LoggedEvent(seq, digest, occurred_at.timestamp(), envelope, payload)
