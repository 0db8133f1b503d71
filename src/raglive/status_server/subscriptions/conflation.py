"""Conflation: of progress and heartbeats only the latest is sent, none of an attempt that ended."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from raglive.status_server.subscriptions.messages import Message

__all__ = ["Conflation"]

ENDINGS = frozenset({"file:completed", "file:failed", "file:skipped", "file:deleted"})
MAX_FILES = 4096
EVERY_ATTEMPT = 2**31


class Conflation:
    """The pending progress and heartbeat of one pipeline, sent at the next tick."""

    def __init__(self, heartbeat_interval_seconds: float) -> None:
        self._interval = heartbeat_interval_seconds
        self._progress: dict[str, Message] = {}
        self._heartbeat: Message | None = None
        self._heartbeat_due = float("-inf")
        self._ended: OrderedDict[str, int] = OrderedDict()
        self.replaced = 0

    def put(self, message: Message) -> None:
        """Add progress or a heartbeat; it replaces an older one of the same file."""
        if message.type == "heartbeat":
            self._heartbeat = message
        elif message.file_id is not None and message.attempt > self._ended.get(message.file_id, 0):
            self._put_progress(message.file_id, message)

    def observe(self, messages: Iterable[Message]) -> None:
        """Drop the progress of attempts that these durable messages end or supersede."""
        for message in messages:
            if message.file_id is None:
                continue
            if message.type in ENDINGS:
                self._end(message.file_id, message.attempt or EVERY_ATTEMPT)
            elif message.type == "file:processing":
                self._begin(message.file_id, message.attempt)

    def drain(self, now: float, reached: int) -> list[Message]:
        """Remove and return the messages that are due at `now` (seconds, monotonic).

        A heartbeat waits until its head is `reached`: otherwise it would tell viewers that they
        missed events which they are about to receive.
        """
        due = list(self._progress.values())
        self._progress.clear()
        heartbeat = self._heartbeat
        if heartbeat and now >= self._heartbeat_due and heartbeat.head_seq <= reached:
            due.append(heartbeat)
            self._heartbeat = None
            self._heartbeat_due = now + self._interval
        return due

    def _put_progress(self, file_id: str, message: Message) -> None:
        pending = self._progress.get(file_id)
        if pending is None:
            if len(self._progress) < MAX_FILES:
                self._progress[file_id] = message
            return
        self.replaced += 1
        if message.attempt >= pending.attempt:
            self._progress[file_id] = message

    def _begin(self, file_id: str, attempt: int) -> None:
        """Accept progress of `attempt` and later ones only."""
        ended = self._ended.get(file_id, 0)
        self._note(file_id, attempt - 1 if ended == EVERY_ATTEMPT else max(ended, attempt - 1))

    def _end(self, file_id: str, attempt: int) -> None:
        self._note(file_id, max(attempt, self._ended.get(file_id, 0)))

    def _note(self, file_id: str, ended: int) -> None:
        pending = self._progress.get(file_id)
        if pending is not None and pending.attempt <= ended:
            del self._progress[file_id]
        self._ended[file_id] = ended
        self._ended.move_to_end(file_id)
        if len(self._ended) > MAX_FILES:
            self._ended.popitem(last=False)
