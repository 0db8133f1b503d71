"""`pipeline:summary`: exact at its head, at most once a second, and only when it has changed."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import Any

import orjson
import pytest

from raglive.store.log.event_log import EventLog
from raglive.store.log.pipeline_status import PipelineReads
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.events import PipelineSummary, event_adapter
from raglive_contract.redaction import WITHHELD
from tests.integration.dashboard.serving import Work
from tests.integration.status_server.serving import completed, processing, serving
from tests.integration.status_server.serving import publish as publish_files
from tests.integration.status_server.watching import Viewer, watching
from tests.integration.subscriptions.room import PIPELINE, Room

SUMMARY = "pipeline:summary"
SECRET = "offer-to-dr-who.pdf"


def summaries(room: Room) -> list[PipelineSummary]:
    bodies = [orjson.loads(one.body) for one in room.delivered if one.type == SUMMARY]
    found = [event_adapter.validate_python(body) for body in bodies]
    return [one for one in found if isinstance(one, PipelineSummary)]


async def counts_at(database: Database, seq: int) -> dict[str, int]:
    """The number of files in each state after the events up to `seq`."""
    [head] = await EventLog(database).heads()
    states: dict[str, str] = {}
    for logged in await EventLog(database).read_after(head, 0, seq):
        assert "file" in logged.event
        states[logged.event["file"]["id"]] = logged.event["type"].removeprefix("file:")
    found = dict.fromkeys(("queued", "processing", "completed", "failed", "skipped", "waiting"), 0)
    for state in states.values():
        found[state] += 1
    return found


async def test_counts_are_exact_at_the_head_while_files_change(
    database: Database, room: Room
) -> None:
    room.watched.add("files")
    done = asyncio.Event()

    async def produce(name: str) -> None:
        number = 0
        while not done.is_set():
            number += 1
            file_id = f"{name}-{number}"
            for event in (processing(file_id), completed(file_id)):
                await publish_files(database, [event], "files")
                await asyncio.sleep(random.uniform(0, 0.02))

    producers = [asyncio.create_task(produce(name)) for name in "abc"]
    try:
        await room.until(lambda: len(summaries(room)) >= 3)
    finally:
        done.set()
        await asyncio.gather(*producers)
    [head] = await EventLog(database).heads()
    await room.until(lambda: summaries(room)[-1].head_seq == head.seq)
    for one in summaries(room):
        assert one.counts.wire() == await counts_at(database, one.head_seq)
        digest = await EventLog(database).digest_at(head, one.head_seq)
        assert digest is not None
        assert one.digest == digest.hex()
    places = [n for n, one in enumerate(room.delivered) if one.type == SUMMARY]
    for place, one in zip(places, summaries(room), strict=True):
        sent = [message.seq for message in room.delivered[:place] if message.seq is not None]
        assert max(sent, default=0) >= one.head_seq, "it waits for the events that it counts"
    gaps = [after - before for before, after in zip(room.times, room.times[1:], strict=False)]
    assert min(gaps) >= 0.99
    assert room.hub.after("files", head.seq) == [room.delivered[places[-1]]]


async def test_files_that_are_queued_without_an_event_are_noticed(
    database: Database, pipeline: PipelineRecord, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = 0
    read = PipelineReads.summaries

    async def counted(self: PipelineReads, keys: Any) -> Any:
        nonlocal readings
        readings += 1
        return await read(self, keys)

    monkeypatch.setattr(PipelineReads, "summaries", counted)
    await room.until(lambda: room.started)
    assert readings == 0, "no viewers"
    room.watched.add(PIPELINE)
    await room.until(lambda: summaries(room))
    assert summaries(room)[-1].counts.queued == 0
    await database.execute(
        "INSERT INTO raglive.files (pipeline_key, file_id, name, state, location, next_attempt_at) "
        "SELECT $1, n::text, 'a', 'queued', 'a', now() FROM generate_series(1, 3) AS n",
        pipeline.key,
    )
    await room.until(lambda: summaries(room)[-1].counts.queued == 3)
    sent, before = len(summaries(room)), readings
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2):
            await room.until(lambda: len(summaries(room)) > sent)
    assert readings == before, "nothing has changed"
    await database.execute("DELETE FROM raglive.files")


async def test_it_follows_the_answer_and_is_masked_for_a_redacted_viewer(
    database: Database, pipeline: PipelineRecord
) -> None:
    work = Work(pipeline)
    await work.fail(SECRET, message=f"{SECRET} is damaged")
    await work.queue("b.txt")
    job = await work.start()
    await database.execute(
        "UPDATE raglive.files SET stuck_at = now() WHERE file_key = $1", job.file_key
    )
    async with (
        serving(database) as server,
        watching(server.url) as first,
        watching(server.url) as batched,
        watching(server.url, redact=True) as redacted,
    ):
        for viewer in (first, batched, redacted):
            await viewer.subscribe(pipeline_id=PIPELINE, batch=viewer is batched)
            await viewer.until(partial(viewer.of, SUMMARY))
            assert kinds_after_answer(viewer)[0] == SUMMARY
        whole, masked = first.of(SUMMARY)[0], redacted.of(SUMMARY)[0]
        assert batched.of(SUMMARY)[0] == whole, "it was read once for all viewers"
        for one in (whole, masked):
            event_adapter.validate_python(one)
        assert whole["counts"] == masked["counts"]
        assert (whole["counts"]["failed"], whole["counts"]["processing"]) == (1, 1)
        assert [it["standing"] for it in whole["standings"]] == ["stuck"]
        assert whole["standings"][0]["id"] == job.file_id
        assert SECRET in whole["failures"][0]["message"]
        assert (
            masked["failures"][0] | {"message": whole["failures"][0]["message"]}
            == (whole["failures"][0])
        )
        assert masked["failures"][0]["message"] == WITHHELD
        assert masked["throughput"] == whole["throughput"]
        assert masked["standings"][0]["id"].startswith("masked-")
        assert SECRET not in str(redacted.received)
        assert job.file_id not in str(masked)


def kinds_after_answer(viewer: Viewer) -> list[str]:
    kinds = [kind for kind, _ in viewer.flat()]
    return kinds[kinds.index("answer:subscribe") + 1 :]
