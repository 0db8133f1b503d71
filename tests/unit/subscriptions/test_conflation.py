from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from raglive.status_server.subscriptions import conflation
from raglive.status_server.subscriptions.conflation import Conflation
from raglive.status_server.subscriptions.messages import Message
from tests.unit.subscriptions.log import durable, heartbeat, progress

FILES = st.sampled_from(["a", "b", "c"])
ATTEMPTS = st.integers(1, 4)
ENDINGS = ["file:completed", "file:failed", "file:skipped", "file:deleted"]


class Ticks(RuleBasedStateMachine):
    """What a tick sends is the latest of an attempt that has neither ended nor been overtaken."""

    def __init__(self) -> None:
        super().__init__()
        self.conflation = Conflation(30)
        self.over: dict[str, int] = {}
        self.latest: dict[str, Message] = {}

    @rule(file_id=FILES, attempt=ATTEMPTS, done=st.floats(0, 1))
    def progresses(self, file_id: str, attempt: int, done: float) -> None:
        message = progress(file_id, attempt, done)
        self.conflation.put(message)
        pending = self.latest.get(file_id)
        if attempt > self.over.get(file_id, 0) and (not pending or attempt >= pending.attempt):
            self.latest[file_id] = message

    @rule(file_id=FILES, attempt=ATTEMPTS)
    def begins(self, file_id: str, attempt: int) -> None:
        self.conflation.observe([durable("file:processing", file_id, attempt)])
        deleted = self.over.get(file_id) == conflation.EVERY_ATTEMPT
        before = 0 if deleted else self.over.get(file_id, 0)
        self.ended(file_id, max(before, attempt - 1))

    @rule(file_id=FILES, attempt=ATTEMPTS, ending=st.sampled_from(ENDINGS))
    def ends(self, file_id: str, attempt: int, ending: str) -> None:
        self.conflation.observe([durable(ending, file_id, attempt)])
        self.ended(file_id, max(self.over.get(file_id, 0), attempt))

    @rule(file_id=FILES, ending=st.sampled_from(ENDINGS[2:]))
    def ends_for_good(self, file_id: str, ending: str) -> None:
        self.conflation.observe([durable(ending, file_id, None)])
        self.ended(file_id, conflation.EVERY_ATTEMPT)

    @rule()
    def ticks(self) -> None:
        sent = self.conflation.drain(0, 0)
        assert {one.file_id: one for one in sent} == self.latest
        self.latest.clear()

    @invariant()
    def nothing_is_pending_of_what_is_over(self) -> None:
        assert all(one.attempt > self.over.get(id_, 0) for id_, one in self.latest.items())

    def ended(self, file_id: str, attempt: int) -> None:
        self.over[file_id] = attempt
        if file_id in self.latest and self.latest[file_id].attempt <= attempt:
            del self.latest[file_id]


TestTicks = Ticks.TestCase


def test_heartbeats_are_sent_at_their_interval_and_only_the_latest() -> None:
    pending = Conflation(30)
    for head_seq in (1, 2, 3):
        pending.put(heartbeat(head_seq))
    assert [one.head_seq for one in pending.drain(100, 3)] == [3]
    pending.put(heartbeat(4))
    assert not pending.drain(129, 4)
    assert [one.head_seq for one in pending.drain(130, 4)] == [4]


def test_a_heartbeat_waits_for_the_events_that_it_speaks_of() -> None:
    pending = Conflation(30)
    pending.put(heartbeat(5))
    assert not pending.drain(100, 4)
    assert [one.head_seq for one in pending.drain(101, 5)] == [5]


def test_the_memory_of_files_and_endings_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conflation, "MAX_FILES", 10)
    pending = Conflation(30)
    for number in range(100):
        pending.put(progress(f"f{number}", 1))
        pending.observe([durable("file:completed", f"e{number}", 1)])
    assert len(pending.drain(0, 0)) == 10
    pending.put(progress("e99", 1))
    assert not pending.drain(0, 0)
    assert len(pending._ended) == 10
