"""Polls by difference: whatever happens or is lost, a caller ends with the whole status."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raglive.dashboard import status_cache, status_poll
from raglive.dashboard.rag_status import StatusAnswer
from raglive.dashboard.seen_pipelines import SeenPipelines
from raglive.dashboard.status_cache import StatusCache
from raglive.dashboard.status_poll import Question, read_answer, wait_for_news
from raglive.log_reader import summaries
from raglive.store.log.event_log import Head, LoggedEvent
from raglive.store.log.pipeline_status import PipelineReads, PipelineRow, PipelineSnapshot
from raglive.store.log.pipeline_summary import Summary
from raglive_contract.cursor import Cursor, Start, cursor_at, parse_cursor

STALE_SECONDS = 90.0
NAMES = st.sampled_from("abcdefgh")
_NUMBERS = count(1)


@dataclass
class Pipeline:
    """A pipeline as the database holds it."""

    name: str
    key: int = field(default_factory=lambda: next(_NUMBERS))
    seq: int = 0
    queued: int = 0
    progress: int | None = None
    silent_seconds: float = 0.0

    @property
    def head(self) -> Head:
        counts = (self.queued, int(self.progress is not None), self.seq, 0, 0)
        epoch = f"{self.key:016x}"
        return Head(self.key, self.name, "reports", epoch, self.seq, b"", 1, counts)

    @property
    def row(self) -> PipelineRow:
        return PipelineRow(
            self.head, "online", None, None, None, None, self.progress, self.silent_seconds
        )


class Database:
    """Stands in for `PipelineReads`; events are numbered in one clock."""

    def __init__(self) -> None:
        self.known: dict[str, Pipeline] = {}
        self.logs: dict[int, list[LoggedEvent]] = {}
        self._clock = count(1)

    def append(self, pipeline: Pipeline) -> None:
        pipeline.seq += 1
        event = {
            "cursor": cursor_at(pipeline.head.epoch, pipeline.seq),
            "seq": pipeline.seq,
            "timestamp": f"{next(self._clock):08}",
            "text": "x" * 500,
        }
        self.logs.setdefault(pipeline.key, []).append(
            LoggedEvent(pipeline.seq, b"", 0.0, event, "{}")
        )

    async def pipelines(self) -> list[PipelineRow]:
        return [self.known[name].row for name in sorted(self.known)]

    async def snapshots(self, keys: Sequence[int]) -> list[PipelineSnapshot]:
        return [
            PipelineSnapshot(it.row, cast("Any", _status(it)))
            for it in self.known.values()
            if it.key in keys
        ]

    async def summaries(self, keys: Sequence[int]) -> dict[int, Summary]:
        return {it.key: _summary(it.head) for it in self.known.values() if it.key in keys}

    async def events_after(
        self, starts: Sequence[tuple[Head, int]], limit: int
    ) -> dict[int, list[LoggedEvent]]:
        return {
            head.pipeline_key: self.logs[head.pipeline_key][seq : head.seq][:limit]
            for head, seq in starts
        }


def _status(pipeline: Pipeline) -> dict[str, object]:
    files = [] if pipeline.progress is None else [{"id": "f", "progress": pipeline.progress}]
    head = pipeline.head
    return {"counts": head.counts, "seq": head.seq, "files_processing": files, "x": "x" * 2000}


def _summary(head: Head) -> Summary:
    throughput = {"buckets": [{"completed": head.seq % 2, "failed": 0}]}
    counts = {"queued": head.counts[0], "processing": head.counts[1]}
    event = {"counts": counts, "failures": [], "standings": [], "throughput": throughput}
    return Summary(head.epoch, head.seq, head.counts, cast("Any", event))


class Caller:
    """A client that keeps what it was sent; a lost answer changes nothing."""

    def __init__(self, cache: StatusCache) -> None:
        self._cache = cache
        self.cursor = Cursor(otherwise=Start.NOW)
        self.seen = ""
        self.held: dict[str, dict[str, Any]] = {}
        self.seqs: dict[str, int] = {}

    async def poll(self, *, is_lost: bool = False) -> StatusAnswer:
        answer = await ask(self._cache, self.cursor, SeenPipelines.parse(self.seen, self.cursor))
        if not is_lost:
            self._take(answer)
        return answer

    def _take(self, answer: StatusAnswer) -> None:
        for epoch in answer.removed:
            del self.held[epoch], self.seqs[epoch]
        for event in answer.events:
            epoch = event["cursor"].partition(".")[0]
            assert event["seq"] == self.seqs[epoch] + 1
            self.seqs[epoch] += 1
        for row in answer.rows:
            for sent in answer.pipelines:
                if sent["pipeline_id"] == row.head.pipeline_id:
                    self.held[row.head.epoch] = cast("Any", sent)
                    self.seqs.setdefault(row.head.epoch, row.head.seq)
        self.cursor = parse_cursor(answer.next_cursor)
        self.seen = str(answer.seen)
        assert {epoch: it.seq for epoch, it in self.cursor.positions.items()} == self.seqs


async def ask(
    cache: StatusCache, cursor: Cursor, seen: SeenPipelines | None = None
) -> StatusAnswer:
    cache._hints.doubt()
    question = Question(lambda status: list(status.rows), STALE_SECONDS, cursor, seen)
    return await read_answer(cache, await wait_for_news(cache, question, 0))


def _change(database: Database, what: str, name: str) -> None:
    pipeline = database.known.get(name)
    if what == "remove":
        database.known.pop(name, None)
    elif pipeline is None or what == "replace":
        database.known[name] = Pipeline(name)
    elif what == "event":
        database.append(pipeline)
    elif what == "many events":
        for _ in range(30):
            database.append(pipeline)
    elif what == "queue":
        pipeline.queued += 1
    elif what == "progress":
        pipeline.progress = (pipeline.progress or 0) + 1
    elif what == "rest":
        pipeline.progress = None
        pipeline.queued = 0
    else:
        pipeline.silent_seconds = 100 - pipeline.silent_seconds


CHANGES = ["remove", "replace", "event", "many events", "queue", "progress", "rest", "silence"]
STEPS = st.lists(
    st.tuples(st.sampled_from([*CHANGES, *["add"] * 4, *["poll"] * 4, "lose"]), NAMES), max_size=40
)


@given(STEPS)
def test_what_a_caller_holds_is_the_whole_status(steps: list[tuple[str, str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(status_cache, "LEAST_SECONDS", 0.0)
        patch.setattr(summaries, "LEAST_SECONDS", 0.0)
        patch.setattr(status_poll, "MAX_BYTES", 16_000)
        patch.setattr(status_poll, "EVENTS_BYTES", 3_000)
        asyncio.run(_run(steps, patch))


async def _run(steps: list[tuple[str, str]], patch: pytest.MonkeyPatch) -> None:
    database = Database()
    cache = StatusCache(cast("PipelineReads", database), cast("Any", SimpleNamespace()))
    caller = Caller(cache)
    for what, name in steps:
        if what in {"poll", "lose"}:
            if (await caller.poll(is_lost=what == "lose")).up_to_date and what == "poll":
                await _compare(cache, caller, patch)
        else:
            _change(database, what, name)
    for _ in range(60):
        if (await caller.poll()).up_to_date:
            break
    else:
        pytest.fail("the caller is never up to date")
    await _compare(cache, caller, patch)
    last = await caller.poll()
    assert (last.pipelines, last.events, last.removed, last.up_to_date) == ([], [], [], True)


async def _compare(cache: StatusCache, caller: Caller, patch: pytest.MonkeyPatch) -> None:
    with patch.context() as whole:
        whole.setattr(status_poll, "MAX_BYTES", 10**9)
        answer = await ask(cache, Cursor(otherwise=Start.NOW))
    assert caller.seqs == {row.head.epoch: row.head.seq for row in answer.rows}
    epochs = {row.head.pipeline_id: row.head.epoch for row in answer.rows}
    assert caller.held == {epochs[it["pipeline_id"]]: it for it in answer.pipelines}


@given(st.sets(NAMES, min_size=6))
def test_pipelines_that_change_all_the_time_do_not_keep_others_from_being_sent(
    names: set[str],
) -> None:
    async def run() -> None:
        database = Database()
        database.known = {name: Pipeline(name, progress=0) for name in sorted(names)}
        caller = Caller(StatusCache(cast("PipelineReads", database), cast("Any", None)))
        for _ in range(2 * len(names)):
            for pipeline in database.known.values():
                pipeline.progress = (pipeline.progress or 0) + 1
            await caller.poll()
        rounds = [
            it["status_details"]["files_processing"][0]["progress"] for it in caller.held.values()
        ]
        assert len(rounds) == len(names)
        assert min(rounds) > len(names)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(status_cache, "LEAST_SECONDS", 0.0)
        patch.setattr(status_poll, "MAX_BYTES", 13_000)
        asyncio.run(run())
