"""One poll of `/api/rag-status`: what the caller does not have yet, as far as it fits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import orjson

from raglive.dashboard.rag_status import StatusAnswer, wire_pipeline
from raglive.dashboard.seen_pipelines import NOT_SENT, SeenPipelines, revision
from raglive.dashboard.status_cache import BATCH, ShownPipeline, StatusCache
from raglive.dashboard.system_status import SystemStatus
from raglive.store.log.event_log import Head
from raglive.store.log.pipeline_status import PipelineRow
from raglive_contract.cursor import Cursor, CursorExpired, Position, Start, resume
from raglive_contract.errors import RagliveError
from raglive_contract.redaction import Redaction
from raglive_contract.wire import WireDurableEvent, WireRagStatusPipeline

__all__ = ["Poll", "Question", "read_answer", "wait_for_news"]

MAX_WAIT_SECONDS = 30.0
MAX_BYTES = 100_000  # of an answer, unless one pipeline or one event alone is larger
FRAME_BYTES = 6_000  # for the fields that are not measured
EVENTS_BYTES = 20_000  # that pipelines leave for events

Choose = Callable[[SystemStatus], list[PipelineRow]]


@dataclass(frozen=True, slots=True)
class Question:
    """What a caller asks for: with `seen` the pipelines that have changed, otherwise all."""

    choose: Choose
    stale_seconds: float
    cursor: Cursor
    seen: SeenPipelines | None = None
    redaction: Redaction | None = None


@dataclass(frozen=True, slots=True)
class Poll:
    """What a caller has, compared with the status of all pipelines that it may view.

    `rows` are sorted by id, and `to_send` are those that the caller asks for. `reached` are the
    seqs that it has, by epoch. `removed` are the epochs of pipelines that it cannot view any more.
    """

    question: Question
    status: SystemStatus
    rows: list[PipelineRow]
    to_send: list[PipelineRow]
    reached: dict[str, int]
    removed: list[str]

    @property
    def is_behind(self) -> bool:
        """Whether events are missing."""
        return any(_is_behind(row.head, self.reached) for row in self.rows)

    @property
    def is_unchanged(self) -> bool:
        """Whether nothing is missing but, without `seen`, what the ETag shows."""
        is_complete = self.question.seen is None or not (self.to_send or self.removed)
        return is_complete and not self.is_behind

    def unchanged(self) -> StatusAnswer:
        """Build the answer without pipelines and events, from which the ETag can be computed."""
        return StatusAnswer(
            self.rows,
            [],
            [],
            str(_cursor(self.reached)),
            up_to_date=True,
            seen=self.question.seen,
        )


async def wait_for_news(cache: StatusCache, question: Question, wait_seconds: float) -> Poll:
    """Compare what a caller has with the status, waiting at most `wait_seconds` and 30 s for news.

    The wait also ends when files were queued without an event. Raises `cursor_expired`, `not_found`
    or `DatabaseUnavailable`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + min(wait_seconds, MAX_WAIT_SECONDS)
    counts: list[tuple[int, ...]] | None = None
    while True:
        poll = await _compare(cache, question)
        left = deadline - loop.time()
        before, counts = counts, [row.head.counts for row in poll.rows]
        has_moved = not poll.is_unchanged or before not in (None, counts)
        if has_moved or left <= 0 or cache.closing:
            return poll
        if not question.cursor.positions:  # it named the moment of the first reading
            question = replace(question, cursor=_cursor(poll.reached))
        cache.refresh_summaries(poll.rows)
        await cache.wait(poll.status, left)


async def _compare(cache: StatusCache, question: Question) -> Poll:
    """Compare with the cached status.

    A pipeline or position that seems not to exist may be newer than the cache: before it is
    refused or called removed, the status is read once more.
    """
    status = await cache.current()
    with suppress(RagliveError):
        poll = _difference(status, cache, question)
        if not poll.removed:
            return poll
    return _difference(await cache.renew(), cache, question)


def _difference(status: SystemStatus, cache: StatusCache, question: Question) -> Poll:
    rows = question.choose(status)
    epochs = {row.head.epoch for row in rows}
    named = question.cursor.positions
    if question.seen is None:
        reached = {row.head.epoch: _resume(question.cursor, row.head, epochs) for row in rows}
        return Poll(question, status, rows, rows, reached, [])
    reached = {
        row.head.epoch: _resume(question.cursor, row.head, named)
        for row in rows
        if row.head.epoch in named
    }
    known, stale = question.seen.revisions, question.stale_seconds
    to_send = [
        row for row in rows if known.get(row.head.epoch) != revision(row, cache.summary(row), stale)
    ]
    removed = sorted(named.keys() - epochs)
    return Poll(question, status, rows, question.seen.in_turn(to_send), reached, removed)


def _resume(cursor: Cursor, head: Head, epochs: Collection[str]) -> int:
    outcome = resume(cursor, head.range, epochs)
    if isinstance(outcome, CursorExpired):
        raise outcome.error()
    return outcome.seq


@dataclass(slots=True)
class _Part:
    """The pipelines of one answer; `room` is how many bytes are left, `left` how many pipelines."""

    shown: list[ShownPipeline]
    wire: list[WireRagStatusPipeline]
    room: int
    left: int


async def read_answer(cache: StatusCache, poll: Poll) -> StatusAnswer:
    """Read the pipelines and events that the caller lacks, as many as fit.

    Raises `cursor_expired` or `DatabaseUnavailable`.
    """
    question = poll.question
    taken = FRAME_BYTES + len(str(_cursor(poll.reached))) + len(str(question.seen or ""))
    reserved = EVENTS_BYTES if poll.is_behind else 0
    part = await _read_pipelines(cache, poll, MAX_BYTES - taken - reserved)
    cache.refresh_summaries(poll.rows)
    rows = {row.head.epoch: row for row in (*poll.rows, *(it.row for it in part.shown))}
    reached = poll.reached | _first_seqs(question, part.shown)
    events = await _read_events(poll, rows.values(), reached, part.room + reserved)
    reached |= {event["cursor"].partition(".")[0]: event["seq"] for event in events}
    is_behind = any(_is_behind(row.head, reached) for row in rows.values())
    return StatusAnswer(
        list(rows.values()),
        part.wire,
        events,
        str(_cursor(reached)),
        up_to_date=not is_behind and (question.seen is None or part.left == 0),
        seen=question.seen and _seen(question.seen, part.shown, reached, question.stale_seconds),
        removed=poll.removed,
        pipelines_left=part.left,
    )


async def _read_pipelines(cache: StatusCache, poll: Poll, room: int) -> _Part:
    part = _Part([], [], room, len(poll.to_send))
    for start in range(0, len(poll.to_send), BATCH):
        for shown in await cache.pipelines(poll.to_send[start : start + BATCH]):
            wire = wire_pipeline(shown, poll.question.stale_seconds, poll.question.redaction)
            files = wire["status_details"]["files_processing"]  # which the answer repeats
            size = len(orjson.dumps(wire)) + len(orjson.dumps(files))
            if part.shown and size > part.room:
                return part
            part.shown.append(shown)
            part.wire.append(wire)
            part.room -= size
            part.left -= 1
    part.left = 0  # the others are gone
    return part


def _first_seqs(question: Question, shown: Sequence[ShownPipeline]) -> dict[str, int]:
    """Return where pipelines begin that the cursor does not name, if their status was sent."""
    if question.seen is None and question.cursor.otherwise is Start.BEGINNING:
        return {}
    heads = [it.row.head for it in shown]
    return {it.epoch: it.seq for it in heads if it.epoch not in question.cursor.positions}


async def _read_events(
    poll: Poll, rows: Iterable[PipelineRow], reached: dict[str, int], room: int
) -> list[WireDurableEvent]:
    """Read the next events of each pipeline, as many as fit, but at least one."""
    starts = [(row.head, reached[row.head.epoch]) for row in rows if _is_behind(row.head, reached)]
    events = await poll.status.events(starts) if starts else []
    if poll.question.redaction is not None:
        events = [poll.question.redaction.event(event) for event in events]
    for number, event in enumerate(events):
        room -= len(orjson.dumps(event))
        if room < 0:
            return events[: max(1, number)]
    return events


def _seen(
    before: SeenPipelines, shown: Sequence[ShownPipeline], reached: dict[str, int], stale: float
) -> SeenPipelines:
    """Return what the caller has with the answer.

    A pipeline of which events are missing is sent once more with the last of them.
    """
    revisions = {epoch: before.revisions.get(epoch, NOT_SENT) for epoch in reached}
    for it in shown:
        head = it.row.head
        is_behind = _is_behind(head, reached)
        revisions[head.epoch] = NOT_SENT if is_behind else revision(it.row, it.summary, stale)
    return SeenPipelines(revisions, shown[-1].row.head.epoch if shown else before.last)


def _is_behind(head: Head, reached: dict[str, int]) -> bool:
    return reached.get(head.epoch, head.seq) < head.seq


def _cursor(reached: dict[str, int]) -> Cursor:
    return Cursor.of(Position(epoch, seq) for epoch, seq in reached.items())
