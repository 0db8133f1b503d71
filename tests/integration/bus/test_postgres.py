from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import asyncpg
import pytest

from raglive.bus.messages import Hint, Live, Message, Reconnected
from raglive.bus.postgres import MAX_PAYLOAD_BYTES, PostgresBus
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.errors import RagliveError
from tests.relay import Relay

Messages = AsyncIterator[Message]


async def following(messages: Messages, wanted: type[Message]) -> Any:
    async with asyncio.timeout(10):
        async for message in messages:
            if isinstance(message, wanted):
                return message
    raise AssertionError("the bus ended")


def numbered(number: int, **fields: str) -> Any:
    """Return a stand-in for an event, which the bus does not inspect."""
    return {"type": "heartbeat", "number": number, **fields}


async def test_a_commit_is_a_hint_with_the_new_head(dsn: str, pipeline: PipelineRecord) -> None:
    async with PostgresBus(dsn) as bus, aclosing(bus.listen()) as messages:
        assert await following(messages, Reconnected)
        await pipeline.announce_online(60, "/documents")
        await pipeline.announce_offline("normal_shutdown")
        hint = await following(messages, Hint)
        if hint.seq < 2:
            hint = await following(messages, Hint)
        assert hint == Hint(pipeline.key, 2)


async def test_hints_wait_merged_and_live_events_in_their_order(
    dsn: str, database: Database, pipeline: PipelineRecord
) -> None:
    async with PostgresBus(dsn) as bus, aclosing(bus.listen()) as messages:
        await following(messages, Reconnected)
        for number in range(50):
            await pipeline.announce_online(number, "/documents")
            await bus.send([numbered(number)])
        live: list[object] = []
        heads: list[int] = []
        while 49 not in live or 50 not in heads:
            message = await asyncio.wait_for(anext(messages), 10)
            if isinstance(message, Live):
                live += [event["number"] for event in message.events]
            elif isinstance(message, Hint):
                heads.append(message.seq)
        assert live == list(range(50))
        assert heads == sorted(heads)


async def test_many_and_large_events_are_split_to_fit(dsn: str) -> None:
    events = [numbered(n, name="é" * (n * 13 % 1900)) for n in range(200)]
    too_large = numbered(-1, name="x" * MAX_PAYLOAD_BYTES)
    async with PostgresBus(dsn) as bus, aclosing(bus.listen()) as messages:
        await following(messages, Reconnected)
        await bus.send([*events[:100], too_large, *events[100:]])
        received: list[dict[str, Any]] = []
        while len(received) < len(events):
            received += (await following(messages, Live)).events
    assert received == events


async def test_malformed_notifications_are_ignored(
    dsn: str, database: Database, pipeline: PipelineRecord
) -> None:
    async with PostgresBus(dsn) as bus, aclosing(bus.listen()) as messages:
        await following(messages, Reconnected)
        for channel, payload in (
            ("raglive_head", ""),
            ("raglive_head", "1:x"),
            ("raglive_live", "{"),
            ("raglive_live", "[1]"),
        ):
            await database.execute("SELECT pg_notify($1, $2)", channel, payload)
        await pipeline.announce_online(60, "/documents")
        assert await following(messages, Hint) == Hint(pipeline.key, 1)


async def test_it_outlives_the_database(dsn: str, pipeline: PipelineRecord) -> None:
    async with (
        Relay(dsn) as relay,
        PostgresBus(relay.dsn) as bus,
        aclosing(bus.listen()) as messages,
    ):
        await following(messages, Reconnected)
        await bus.send([numbered(1)])
        assert await following(messages, Live)
        await relay.cut()
        with pytest.raises(RagliveError, match="does not answer"):
            await bus.send([numbered(2)])
        back = asyncio.ensure_future(following(messages, Reconnected))
        await relay.restore()
        assert await back
        await bus.send([numbered(3)])
        assert await following(messages, Live) == Live([numbered(3)])


async def test_a_terminated_session_is_replaced(
    dsn: str, database: Database, pipeline: PipelineRecord
) -> None:
    async with PostgresBus(dsn) as bus, aclosing(bus.listen()) as messages:
        await following(messages, Reconnected)
        await database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'raglive bus listener' AND datname = current_database()"
        )
        assert await following(messages, Reconnected)
        await pipeline.announce_online(60, "/documents")
        assert await following(messages, Hint) == Hint(pipeline.key, 1)


async def test_without_lasting_sessions_heads_are_polled(
    dsn: str, pipeline: PipelineRecord
) -> None:
    async with (
        PostgresBus(dsn, listens=False) as bus,
        aclosing(bus.listen()) as messages,
    ):
        await following(messages, Reconnected)
        assert await following(messages, Hint) == Hint(pipeline.key, 0)
        await pipeline.announce_online(60, "/documents")
        assert await following(messages, Hint) == Hint(pipeline.key, 1)


async def test_closing_leaves_no_session_behind(dsn: str, database: Database) -> None:
    async with PostgresBus(dsn) as bus:
        async with aclosing(bus.listen()) as messages:
            await following(messages, Reconnected)
        waiting = asyncio.ensure_future(_listen_for_ever(bus))
        await bus.send([numbered(1)])
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await bus.close()
        await bus.close()
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'raglive bus%' "
    async with asyncio.timeout(10):
        # Postgres does not notify when a session has ended
        while await database.fetchval(sessions + "AND datname = current_database()"):
            await asyncio.sleep(0.01)


async def _listen_for_ever(bus: PostgresBus) -> None:
    async with aclosing(bus.listen()) as messages:
        async for _ in messages:
            pass


async def test_a_wrong_address_is_reported_to_the_sender() -> None:
    async with PostgresBus("postgresql://nobody:hunter2@127.0.0.1:1/none") as bus:
        with pytest.raises(RagliveError) as refused:
            await bus.send([numbered(1)])
    assert refused.value.retryable
    assert not re.search("hunter2", refused.value.message)
    assert isinstance(refused.value.__cause__, OSError | asyncpg.PostgresError)
