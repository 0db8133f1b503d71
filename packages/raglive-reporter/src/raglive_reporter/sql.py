"""Events straight into the database, for reporters beside it; no status server need run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson

from raglive.bus.postgres import PostgresBus
from raglive.store.errors import DATABASE_ERRORS, place_of
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_reporter.transport import Batch, unavailable

__all__ = ["SqlTransport"]

CONNECT_SECONDS = 5.0
_PUBLISH = "SELECT accepted + duplicates FROM raglive.publish_batch($1, $2, $3)"


class SqlTransport:
    """Publishes with `raglive.publish_batch` as the user that the address `dsn` names.

    Heartbeats and progress need that user to own raglive's schema; without them the pipeline
    still shows, and is declared offline after a while.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._database: Database | None = None
        self._bus: PostgresBus | None = None

    async def open(self) -> None:
        """Prepare, without connecting; what an earlier `open` left is forgotten."""
        self._database = self._bus = None

    async def close(self) -> None:
        """Close the connections."""
        database, self._database = self._database, None
        bus, self._bus = self._bus, None
        if bus is not None:
            await bus.close()
        if database is not None:
            await database.close()

    async def publish(self, batch: Batch) -> None:
        """Publish events; all of them are committed when it returns."""
        events = [orjson.loads(event) for event in batch.events]
        async with self._explained() as database:
            await database.fetchval(_PUBLISH, batch.pipeline_id, events, batch.pipeline_type)

    async def show(self, batch: Batch) -> None:
        """Send progress to the servers, and note heartbeats in the pipeline's row."""
        events = [orjson.loads(event) for event in batch.events]
        async with self._explained() as database:
            for event in events:
                if event["type"] == "heartbeat":
                    event.update(await _beat(database, batch, event))
            self._bus = self._bus or PostgresBus(database.dsn, listens=database.listens)
            await self._bus.send(events)

    @asynccontextmanager
    async def _explained(self) -> AsyncIterator[Database]:
        try:
            if self._database is None:
                self._database = await Database.connect(
                    self._dsn, name="reporter", max_size=1, within_seconds=CONNECT_SECONDS
                )
            yield self._database
        except (asyncpg.InvalidParameterValueError, asyncpg.DataError) as error:
            raise RagliveError(str(error), code=ErrorCode.INVALID_EVENT) from error
        except asyncpg.InsufficientPrivilegeError as error:
            raise RagliveError(str(error), code=ErrorCode.FORBIDDEN) from error
        except DATABASE_ERRORS as error:
            where = place_of(self._dsn)
            raise unavailable(
                f"The database at {where} does not take events ({type(error).__name__})."
            ) from error


async def _beat(database: Database, batch: Batch, event: dict[str, Any]) -> dict[str, Any]:
    record = await PipelineRecord.register(database, batch.pipeline_id, batch.pipeline_type)
    beat = await record.heartbeat(
        uptime_seconds=event["uptime"],
        memory_bytes=event["memory_usage"],
        is_checking=False,
        last_check=None,
        next_check=None,
    )
    return {"head_seq": beat.head_seq, "digest": beat.digest.hex(), "is_checking": False}
