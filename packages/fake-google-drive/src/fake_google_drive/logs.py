"""Every change log, and how far what they tell lags behind what has happened."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from fake_google_drive.change_log import ChangeLog
from fake_google_drive.tree import Corpus

__all__ = ["Logs"]


class _Pending(NamedTuple):
    due: int
    corpus: Corpus
    kind: str
    id: str


class Logs:
    """The logs by corpus; `now_ms` gives the times of their entries."""

    def __init__(self, lag: int, first_token: int, now_ms: Callable[[], int]) -> None:
        self.lag = lag
        self.listeners: list[Callable[[Corpus], None]] = []
        self._first_token = first_token
        self._now_ms = now_ms
        self._logs: dict[Corpus, ChangeLog] = {}
        self._pending: deque[_Pending] = deque()
        self._ticks = 0

    def of(self, corpus: Corpus) -> ChangeLog:
        """Return a user's or a shared drive's log."""
        if corpus not in self._logs:
            self._logs[corpus] = ChangeLog(self._first_token)
        return self._logs[corpus]

    def note(self, corpus: Corpus, kind: str, changed_id: str) -> None:
        """Note a change of a `file` or a `drive`, to be told when it is due."""
        due = self._ticks + self.lag
        if self._pending:
            due = max(due, self._pending[-1].due)
        self._pending.append(_Pending(due, corpus, kind, changed_id))
        self._publish()

    def tick(self, times: int) -> None:
        """Let time pass."""
        self._ticks += times
        self._publish()

    def catch_up(self) -> None:
        """Tell everything."""
        self._ticks = max([self._ticks, *(pending.due for pending in self._pending)])
        self._publish()

    def expire(self) -> None:
        """Refuse the tokens given so far, in every log."""
        for log in self._logs.values():
            log.expire()

    def _publish(self) -> None:
        while self._pending and self._pending[0].due <= self._ticks:
            _, corpus, kind, changed_id = self._pending.popleft()
            self.of(corpus).append(kind, changed_id, self._now_ms())
            for listener in self.listeners:
                listener(corpus)
