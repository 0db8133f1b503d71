from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from raglive.log_reader.followed_log import DigestMismatch, FollowedLog, LogBroken
from raglive.store.log.event_log import Head, LoggedEvent
from raglive_contract.digest import EMPTY, roll


class Recording(FollowedLog):
    """Records the received events."""

    def __init__(self, seq: int = 0, digest: bytes | None = EMPTY) -> None:
        super().__init__(Head(1, "p", "local_files", "e", seq, digest or b""), seq, digest)
        self.received: list[LoggedEvent] = []

    async def advance(self, events: list[LoggedEvent]) -> None:
        self.accept(events)
        self.received += events


def logged(length: int) -> list[LoggedEvent]:
    log: list[LoggedEvent] = []
    digest = EMPTY
    for seq in range(1, length + 1):
        event_id = uuid4()
        digest = roll(digest, event_id, seq)
        event: Any = {"id": str(event_id)}
        log.append(LoggedEvent(seq, digest, 0.0, event, "{}"))
    return log


LOG = logged(12)


async def test_following_events_are_received() -> None:
    log = Recording()
    for page in (LOG[:1], LOG[1:7], [], LOG[7:]):
        await log.advance(page)
    assert log.received == LOG
    assert (log.seq, log.digest) == (12, LOG[-1].digest)


@pytest.mark.parametrize(
    ("page", "error"),
    [
        pytest.param(LOG[6:8], LogBroken, id="a gap before"),
        pytest.param([LOG[5], LOG[7]], LogBroken, id="a gap within"),
        pytest.param(LOG[4:7], LogBroken, id="again"),
        pytest.param(logged(6)[5:], DigestMismatch, id="another log's"),
    ],
)
async def test_events_that_do_not_follow_are_refused_as_a_whole(
    page: list[LoggedEvent], error: type[Exception]
) -> None:
    log = Recording()
    await log.advance(LOG[:5])
    with pytest.raises(error):
        await log.advance(page)
    assert log.received == LOG[:5]
    assert (log.seq, log.digest) == (5, LOG[4].digest)


async def test_a_log_joined_in_the_middle_gets_its_digest() -> None:
    log = Recording(5, None)
    await log.advance(LOG[5:6])
    with pytest.raises(DigestMismatch):
        await log.advance(logged(7)[6:])
