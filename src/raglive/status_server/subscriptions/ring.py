"""The most recent events of one pipeline, encoded and ready for replay."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice, pairwise

from raglive.status_server.subscriptions.messages import Message

__all__ = ["Ring"]

MAX_MESSAGES = 5000
MAX_BYTES = 8 * 2**20


class Ring:
    """A bounded, gapless sequence of durable messages that ends at the head."""

    def __init__(
        self,
        seq: int,
        *,
        max_messages: int = MAX_MESSAGES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.seq = seq
        self.max_messages = max_messages
        self._max_bytes = max_bytes
        self._messages: deque[Message] = deque()
        self._bytes = 0

    @property
    def floor(self) -> int:
        """The seq before the oldest message."""
        return self.seq - len(self._messages)

    def extend(self, messages: Sequence[Message]) -> None:
        """Add the messages that follow the head; the oldest are dropped to make space."""
        if not messages:
            return
        assert messages[0].seq == self.seq + 1, "the reader has checked that they follow"
        self._messages.extend(messages)
        self._bytes += _size(messages)
        self.seq += len(messages)
        while len(self._messages) > self.max_messages or self._bytes > self._max_bytes:
            self._bytes -= len(self._messages.popleft().body)

    def prepend(self, messages: Sequence[Message]) -> bool:
        """Add older messages; False if they do not end at the floor, or there is no room."""
        if not messages or messages[-1].seq != self.floor or not _is_gapless(messages):
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
        """Every message after `seq`; None if the ring does not reach back that far."""
        if not self.floor <= seq <= self.seq:
            return None
        return list(islice(self._messages, seq - self.floor, None))


def _is_gapless(messages: Sequence[Message]) -> bool:
    return all(
        one.seq is not None and next_.seq == one.seq + 1 for one, next_ in pairwise(messages)
    )


def _size(messages: Sequence[Message]) -> int:
    return sum(len(message.body) for message in messages)
