from __future__ import annotations

import asyncio
import re

import asyncpg
import pytest

from raglive.bus.bus import Hint
from raglive.bus.postgres import MAX_PAYLOAD_BYTES, PostgresBus
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.errors import RagliveError
from tests.relay import Relay

from .following import delivers, listening, numbered


async def test_an_event_too_large_for_a_notification_is_left_out(dsn: str) -> None:
    async with PostgresBus(dsn) as bus, listening(bus) as heard:
        await bus.send([numbered(1), numbered(2, name="x" * MAX_PAYLOAD_BYTES), numbered(3)])
        await heard.until(lambda: heard.numbers == [1, 3])


async def test_malformed_notifications_are_ignored(
    dsn: str, database: Database, pipeline: PipelineRecord
) -> None:
    async with PostgresBus(dsn) as bus, listening(bus) as heard:
        for channel, payload in (
            ("raglive_head", ""),
            ("raglive_head", "1:x"),
            ("raglive_live", "{"),
            ("raglive_live", "[1]"),
        ):
            await database.execute("SELECT pg_notify($1, $2)", channel, payload)
        await pipeline.announce_online(60, "/documents")
        await heard.until(lambda: heard.hints == [Hint(pipeline.key, 1)])
    assert heard.events == []


async def test_it_outlives_the_database(dsn: str, pipeline: PipelineRecord) -> None:
    async with (
        Relay(dsn) as relay,
        PostgresBus(relay.dsn) as bus,
        listening(bus) as heard,
    ):
        await relay.cut()
        with pytest.raises(RagliveError, match="does not answer"):
            await bus.send([numbered(2)])
        await relay.restore()
        await heard.until(lambda: heard.connections == 2)
        await bus.send([numbered(3)])
        await heard.until(lambda: heard.numbers == [3])


async def test_a_connection_without_an_answer_is_noticed_and_replaced(dsn: str) -> None:
    async with (
        Relay(dsn) as relay,
        PostgresBus(relay.dsn) as bus,
        listening(bus) as heard,
    ):
        relay.stall()
        async with asyncio.timeout(6):
            while bus.silent_seconds["postgres"] < 5:
                await asyncio.sleep(0.02)
        await relay.restore()
        await heard.until(lambda: heard.connections == 2)
        await delivers(bus)


async def test_a_terminated_session_is_replaced(
    dsn: str, database: Database, pipeline: PipelineRecord
) -> None:
    async with PostgresBus(dsn) as bus, listening(bus) as heard:
        await database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'raglive bus listener' AND datname = current_database()"
        )
        await heard.until(lambda: heard.connections == 2)
        await pipeline.announce_online(60, "/documents")
        await heard.until(lambda: heard.hints == [Hint(pipeline.key, 1)])


async def test_without_lasting_sessions_heads_are_polled(
    dsn: str, pipeline: PipelineRecord
) -> None:
    async with PostgresBus(dsn, listens=False) as bus, listening(bus) as heard:
        await heard.until(lambda: heard.hints == [Hint(pipeline.key, 0)])
        await pipeline.announce_online(60, "/documents")
        await heard.until(lambda: heard.hints[-1] == Hint(pipeline.key, 1))


async def test_a_wrong_address_is_reported_to_the_sender() -> None:
    async with PostgresBus("postgresql://nobody:hunter2@127.0.0.1:1/none") as bus:
        with pytest.raises(RagliveError) as refused:
            await bus.send([numbered(1)])
    assert refused.value.retryable
    assert not re.search("hunter2", refused.value.message)
    assert isinstance(refused.value.__cause__, OSError | asyncpg.PostgresError)
