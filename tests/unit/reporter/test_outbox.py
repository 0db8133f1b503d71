"""The outbox keeps accepted events in order and within its limits."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raglive_contract.errors import ErrorCode, RagliveError
from raglive_reporter import OutboxFull, OutboxUnusable
from raglive_reporter.dead_letters import DeadLetters
from raglive_reporter.events import EventFactory
from raglive_reporter.outbox import EventOutbox, OutboxLimits
from raglive_reporter.outbox_file import IN_MEMORY, OutboxFile
from raglive_reporter.send_lock import SendLock

FACTORY = EventFactory("p", "t")


def _outbox(path: str = IN_MEMORY, **bounds: int) -> EventOutbox:
    file = OutboxFile(path)
    file.open()
    return EventOutbox(file, "p", OutboxLimits(**bounds))


steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(["a", "b", "c"])),
        st.tuples(st.sampled_from(["publish", "bury"]), st.integers(1, 3)),
        st.just(("retry", None)),
    ),
    max_size=60,
)


@given(steps)
def test_a_file_is_never_published_out_of_order(steps: list[tuple[str, object]]) -> None:
    outbox = _outbox()
    letters = DeadLetters(outbox.file, "p")
    accepted: dict[str, list[int]] = defaultdict(list)
    published: dict[str, list[int]] = defaultdict(list)
    for step, what in steps:
        if step == "put":
            assert isinstance(what, str)
            file = {"id": what, "name": what, "deleted_at": "2026-01-02T03:04:05Z"}
            event = FACTORY.create("file:deleted", file=file, reason="removed")
            accepted[what].append(outbox.put(event))
        elif step == "retry":
            letters.request_retry()
            letters.requeue_requested()
        else:
            assert isinstance(what, int)
            batch = outbox.batch(what, 1_000_000)
            if step == "publish":
                outbox.remove_published(batch)
                for queued in batch:
                    published[queued.file_id].append(queued.position)
            elif batch:
                letters.add(batch, RagliveError("No.", code=ErrorCode.FORBIDDEN))
    for positions in published.values():
        assert positions == sorted(set(positions))
    everything = sum(map(len, accepted.values()))
    done = sum(map(len, published.values()))
    assert done + outbox.waiting() + len(letters.list()) == everything
    outbox.file.close()


def test_limits_are_enforced_and_freed(tmp_path: Path) -> None:
    outbox = _outbox(str(tmp_path / "outbox"), max_events=2)
    event = FACTORY.create("status:update", changes={})
    outbox.put(event)
    outbox.put(event)
    with pytest.raises(OutboxFull, match="2 events"):
        outbox.put(event)
    with pytest.raises(OutboxFull):
        outbox.put_attempt("a", None, lambda _: event)
    outbox.remove_published(outbox.batch(1, 1))
    assert outbox.put_attempt("a", None, lambda _: event)[0] == 1
    assert [len(outbox.batch(9, limit)) for limit in (1, 10**6)] == [1, 2]
    outbox.file.close()


def test_attempts_are_counted_over_restarts(tmp_path: Path) -> None:
    event = FACTORY.create("status:update", changes={})
    attempts = []
    for given_attempt in (None, None, 7, None, 3, None):
        outbox = _outbox(str(tmp_path / "outbox"))
        attempts.append(outbox.put_attempt("a", given_attempt, lambda _: event)[0])
        outbox.file.close()
    assert attempts == [1, 2, 7, 8, 3, 9]
    assert stat.S_IMODE((tmp_path / "outbox").stat().st_mode) == 0o600


def test_pipelines_share_a_file(tmp_path: Path) -> None:
    outboxes = [
        EventOutbox(_outbox(str(tmp_path / "x")).file, p, OutboxLimits(max_events=50)) for p in "pq"
    ]
    event = FACTORY.create("status:update", changes={})

    def fill(outbox: EventOutbox) -> None:
        for _ in range(50):
            outbox.put(event)

    threads = [threading.Thread(target=fill, args=(outbox,)) for outbox in outboxes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for outbox in outboxes:
        assert outbox.waiting() == len(outbox.batch(100, 10**9)) == 50
        outbox.file.close()


def test_other_files_are_refused_and_not_changed(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("Not a database at all. " * 100)
    foreign = tmp_path / "foreign"
    newer = tmp_path / "newer"
    for path, statement in ((foreign, "CREATE TABLE t (x)"), (newer, "PRAGMA user_version = 99")):
        with sqlite3.connect(path) as connection:
            connection.execute(statement)
        connection.close()
    for path, why in ((text, "cannot be used"), (foreign, "not an outbox"), (newer, "newer")):
        with pytest.raises(OutboxUnusable, match=why):
            OutboxFile(str(path)).open()
    assert text.read_text().startswith("Not a database")
    with pytest.raises(OutboxUnusable, match="cannot be used"):
        OutboxFile(str(text / "below")).open()


def test_one_process_at_a_time_holds_the_send_lock(tmp_path: Path) -> None:
    one, two = (SendLock(str(tmp_path / "outbox"), "p") for _ in "12")
    another = SendLock(str(tmp_path / "outbox"), "q")
    assert one.acquire()
    assert one.acquire()
    assert not two.acquire()
    assert another.acquire()
    one.release()
    assert two.acquire()
    for lock in (one, two, another):
        lock.release()
