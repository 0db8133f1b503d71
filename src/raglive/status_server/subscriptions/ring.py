"""The last events of one pipeline, ready to be sent again."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice, pairwise
from uuid import UUID

from raglive.status_server.subscriptions.messages import Message
from raglive_contract.digest import roll

__all__ = ["DigestMismatch", "LogBroken", "Ring"]

MAX_MESSAGES = 5000
MAX_BYTES = 8 * 2**20


class LogBroken(Exception):
    """The log does not go on from where it was read to: events are missing, or others."""


class DigestMismatch(LogBroken):
    """The log goes on with an event that follows another one than was read."""


class Ring:
    """A bounded, gapless run of durable messages that ends at the head."""

    def __init__(
        self,
        seq: int,
        digest: bytes,
        *,
        max_messages: int = MAX_MESSAGES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.seq = seq
        self.digest = digest
        self.max_messages = max_messages
        self._max_bytes = max_bytes
        self._messages: deque[Message] = deque()
        self._bytes = 0

    @property
    def floor(self) -> int:
        """Return the seq before the oldest message."""
        return self.seq - len(self._messages)

    def extend(self, messages: Sequence[Message]) -> None:
        """Add the messages that follow the head; raise `LogBroken` when they do not."""
        if not messages:
            return
        first, last = messages[0], messages[-1]
        if not _run_on(messages) or first.seq != self.seq + 1:
            raise LogBroken(f"event {first.seq} does not follow {self.seq}")
        if roll(self.digest, UUID(first.event_id), first.seq) != first.digest:
            raise DigestMismatch(f"event {first.seq} follows another event {self.seq}")
        assert last.seq is not None, "durable messages have a seq"
        self._messages.extend(messages)
        self._bytes += _size(messages)
        self.seq, self.digest = last.seq, last.digest
        while len(self._messages) > self.max_messages or self._bytes > self._max_bytes:
            self._bytes -= len(self._messages.popleft().body)

    def prepend(self, messages: Sequence[Message]) -> bool:
        """Add the messages that end at the floor; say whether they do, and there was room."""
        if not messages or messages[-1].seq != self.floor or not _run_on(messages):
            return False
        size = _size(messages)
        if len(self._messages) + len(messages) > self.max_messages:
            return False
        if self._bytes + size > self._max_bytes:
            return False
        self._messages.extendleft(reversed(messages))
        self._bytes += size
        return True

    def after(self, seq: int) -> list[Message] | None:
        """Return every message after `seq`; None when the ring does not reach back so far."""
        if not self.floor <= seq <= self.seq:
            return None
        return list(islice(self._messages, seq - self.floor, None))


def _run_on(messages: Sequence[Message]) -> bool:
    return all(
        one.seq is not None and next_.seq == one.seq + 1 for one, next_ in pairwise(messages)
    )


def _size(messages: Sequence[Message]) -> int:
    return sum(len(message.body) for message in messages)
