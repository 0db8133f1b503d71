"""One pipeline's log as far as it was read, and the check that what is read next continues it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from uuid import UUID

from raglive.store.log.event_log import Head, LoggedEvent
from raglive_contract.digest import roll

__all__ = ["DigestMismatch", "FollowedLog", "LogBroken", "LogCut", "LogReplaced"]


class LogBroken(Exception):
    """The log does not continue from where it was read to: events are missing, or it was cut."""


class DigestMismatch(LogBroken):
    """The log continues, but the events before are not those that were read."""


class LogCut(LogBroken):
    """The log ends before the event up to which it was read: a backup was restored."""


class LogReplaced(LogBroken):
    """The pipeline has begun another log, with an epoch of its own."""


class FollowedLog(ABC):
    """A log that was read up to `seq`, where its digest is `digest`, None if not known.

    Hold `lock` to read on, or to rely on `seq` across an await. `head` is the latest that was read
    from the database, and may be behind `seq`.
    """

    def __init__(self, head: Head, seq: int, digest: bytes | None) -> None:
        self.head = head
        self.seq = seq
        self.digest = digest
        self.lock = asyncio.Lock()

    @abstractmethod
    async def advance(self, events: list[LoggedEvent]) -> None:
        """Accept the next events, and take them over; raise what `accept` raises.

        While it waits, nothing more of this log is read. The list may be changed.
        """

    def accept(self, events: Sequence[LoggedEvent]) -> None:
        """Move to the last of these events; raise `LogBroken` if they do not follow."""
        if not events:
            return
        first, last = events[0], events[-1]
        if first.seq != self.seq + 1 or any(b.seq != a.seq + 1 for a, b in pairwise(events)):
            raise LogBroken(f"event {first.seq} does not follow {self.seq}")
        if self.digest is not None:
            digest = roll(self.digest, UUID(first.event["id"]), first.seq)
            if digest != first.digest:
                raise DigestMismatch(f"event {first.seq} follows another event {self.seq}")
        self.seq, self.digest = last.seq, last.digest
