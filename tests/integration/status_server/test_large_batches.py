"""Large batches: validated and delivered without holding the event loop, and all or none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import orjson
import psutil

from raglive.status_server.batch_reader import BatchReader
from raglive.status_server.batches import MAX_EVENT_BYTES, read_batch
from raglive.store.log.event_log import EventLog
from raglive.store.pool import Database
from raglive_contract.errors import ErrorCode, ErrorResponse, RagliveError
from raglive_contract.permissions import Role
from raglive_contract.socket import PublishAck
from tests.integration.status_server.serving import Serving, completed, progress, update
from tests.integration.status_server.watching import watching

NEW = {"pipeline_id": "local-files-pipeline", "pipeline_type": "local_files"}
OTHER = {"pipeline_id": "another", "pipeline_type": "local_files"}

Result = TypeVar("Result")


def body(events: list[dict[str, Any]]) -> bytes:
    return orjson.dumps({"events": events})


def validators() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [one for one in children if one.cmdline()[-1].endswith(".batch_child")]


async def counting(work: Callable[[], Awaitable[Result]]) -> tuple[Result, int]:
    """Return the result of work, and how often another task ran meanwhile."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counter = asyncio.create_task(count())
    try:
        return await work(), turns
    finally:
        counter.cancel()


async def test_a_batch_of_10_mb_is_committed_as_a_whole(
    server: Serving, database: Database
) -> None:
    events = [update(text="v" * 10_000) | (NEW if n % 2 else OTHER) for n in range(999)]
    events.append(progress("a", 0.5) | NEW)
    too_large = update(text="v" * MAX_EVENT_BYTES) | NEW
    async with server.client(Role.PRODUCER) as client, watching(server.url) as viewer:
        refused = await client.post("/v1/events", content=body([*events[1:], too_large]))
        assert (refused.status_code, await EventLog(database).heads()) == (422, [])
        error = ErrorResponse.model_validate(refused.json()).error
        assert (error.code, error.message[:11]) == (ErrorCode.INVALID_EVENT, "events.999:")
        first = await client.post("/v1/events", content=body(events[1:2]))
        await viewer.subscribe(pipeline_id=NEW["pipeline_id"])
        answer = await client.post("/v1/events", content=body(events))
        assert PublishAck.model_validate(first.json()).accepted == 1
        ack = PublishAck.model_validate(answer.json())
        assert (ack.accepted, ack.duplicates) == (999, 1)
        await viewer.until(lambda: len(viewer.durable()) == 498)
    assert sorted(head.seq for head in await EventLog(database).heads()) == [499, 500]


async def test_a_child_process_that_dies_is_replaced() -> None:
    reader, batch = BatchReader(small_bytes=0), body([update(x=1) | NEW])
    await reader.read(batch)
    [child] = validators()
    child.kill()
    async with asyncio.timeout(10):
        with suppress(psutil.NoSuchProcess):  # the event loop reaps it
            while child.status() != psutil.STATUS_ZOMBIE:
                await asyncio.sleep(0.01)
    with suppress(RagliveError):  # `unavailable`, unless the death is known already
        await reader.read(batch)
    assert len(await reader.read(batch)) == 1
    await reader.close()
    assert validators() == []


async def test_a_large_batch_is_read_as_a_small_one_is() -> None:
    reader = BatchReader(small_bytes=0)
    events = [update(x=1) | NEW, progress("a", 0.5) | OTHER, completed("a") | OTHER]
    read, turns = await counting(lambda: reader.read(body(events)))
    assert turns > 100, "the event loop is free while the child process works"
    for one, direct in zip(read, read_batch(body(events)), strict=True):
        assert orjson.loads(orjson.dumps(one.durable)) == direct.durable
        assert one.conflated == direct.conflated
        assert (one.pipeline_id, one.count) == (direct.pipeline_id, direct.count)
        assert (one.pipeline_type, one.first_ids) == (direct.pipeline_type, direct.first_ids)
    await reader.close()
