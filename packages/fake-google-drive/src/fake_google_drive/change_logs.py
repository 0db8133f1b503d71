"""The change logs of users and shared drives, and the rules for which log records a change."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from fake_google_drive.items import Item, SharedDrive
from fake_google_drive.tree import Corpus, Tree

__all__ = [
    "FIRST_TOKEN",
    "ChangeLog",
    "ChangeLogPage",
    "ChangeLogs",
    "ChangeRecorder",
    "LoggedChange",
    "TokenExpired",
    "TokenUnknown",
]

FIRST_TOKEN = 1000
_COMPACT_AT = 1024


class LoggedChange(NamedTuple):
    """An entry: the file or shared drive that changed, and the time in milliseconds."""

    seq: int
    kind: str
    id: str
    time: int


class ChangeLogPage(NamedTuple):
    """Changes, with the token of the next page, or of future changes (`head`) on the last page."""

    changes: list[LoggedChange]
    next: int | None
    head: int | None


class TokenUnknown(Exception):
    """A page token that this log never issued."""


class TokenExpired(Exception):
    """A page token that this log no longer accepts."""


class ChangeLog:
    """A log with one entry for each changed item, newest last; readers see its present state."""

    def __init__(self, first_token: int = FIRST_TOKEN) -> None:
        self._first = first_token
        self._next = first_token
        self._oldest = first_token
        self._order: list[LoggedChange | None] = []
        self._seqs: list[int] = []
        self._place: dict[tuple[str, str], int] = {}

    @property
    def head(self) -> int:
        """The token of future changes."""
        return self._next

    def append(self, kind: str, changed_id: str, time: int) -> None:
        """Add a change, which replaces the item's older entry."""
        place = self._place.get((kind, changed_id))
        if place is not None:
            self._order[place] = None
        self._place[kind, changed_id] = len(self._order)
        self._order.append(LoggedChange(self._next, kind, changed_id, time))
        self._seqs.append(self._next)
        self._next += 1
        if len(self._order) > max(_COMPACT_AT, 2 * len(self._place)):
            self._compact()

    def expire(self) -> None:
        """Make all tokens issued so far expire."""
        self._next += 1
        self._oldest = self._next

    def page(self, token: int, limit: int) -> ChangeLogPage:
        """Return up to `limit` changes since a token.

        Raises `TokenUnknown` and `TokenExpired`.
        """
        if not self._first <= token <= self._next:
            raise TokenUnknown
        if token < self._oldest:
            raise TokenExpired
        changes: list[LoggedChange] = []
        for place in range(bisect_left(self._seqs, token), len(self._order)):
            change = self._order[place]
            if change is None:
                continue
            if len(changes) == limit:
                return ChangeLogPage(changes, change.seq, None)
            changes.append(change)
        return ChangeLogPage(changes, None, self._next)

    def _compact(self) -> None:
        remaining = [change for change in self._order if change is not None]
        self._order = [*remaining]
        self._seqs = [change.seq for change in remaining]
        self._place = {(change.kind, change.id): at for at, change in enumerate(remaining)}


class _Pending(NamedTuple):
    due: int
    corpus: Corpus
    kind: str
    id: str


class ChangeLogs:
    """The logs of all users and shared drives, with an optional delay.

    `lag` is the number of ticks before a change appears; `now_ms` returns milliseconds.
    """

    def __init__(self, lag: int, first_token: int, now_ms: Callable[[], int]) -> None:
        self.lag = lag
        self.listeners: list[Callable[[Corpus], None]] = []
        self._first_token = first_token
        self._now_ms = now_ms
        self._logs: dict[Corpus, ChangeLog] = {}
        self._pending: deque[_Pending] = deque()
        self._ticks = 0

    def of(self, corpus: Corpus) -> ChangeLog:
        """Return the log of a user or a shared drive."""
        if corpus not in self._logs:
            self._logs[corpus] = ChangeLog(self._first_token)
        return self._logs[corpus]

    def note(self, corpus: Corpus, kind: str, changed_id: str) -> None:
        """Add a change of a `file` or a `drive`, which appears after the lag."""
        due = self._ticks + self.lag
        if self._pending:
            due = max(due, self._pending[-1].due)
        self._pending.append(_Pending(due, corpus, kind, changed_id))
        self._publish()

    def tick(self, times: int) -> None:
        """Advance the clock of the lag."""
        self._ticks += times
        self._publish()

    def catch_up(self) -> None:
        """Make all pending changes appear."""
        self._ticks = max([self._ticks, *(pending.due for pending in self._pending)])
        self._publish()

    def expire(self) -> None:
        """Make all tokens issued so far expire, in every log."""
        for log in self._logs.values():
            log.expire()

    def _publish(self) -> None:
        while self._pending and self._pending[0].due <= self._ticks:
            _, corpus, kind, changed_id = self._pending.popleft()
            self.of(corpus).append(kind, changed_id, self._now_ms())
            for listener in self.listeners:
                listener(corpus)


class ChangeRecorder:
    """Records changes in every log to which they belong, by the rules of Google Drive."""

    def __init__(self, tree: Tree, logs: ChangeLogs) -> None:
        self._tree = tree
        self._logs = logs

    def changed(self, item: Item) -> None:
        """Record a change that affects neither the place of the item nor who sees it."""
        item.version += 1
        self._note(item, self._corpora(item))

    @contextmanager
    def changing(self, item: Item) -> Iterator[None]:
        """Record that the block moves, trashes, shares or deletes an item.

        The contents of a folder are recorded only in the logs of users who see them but not the
        folder.
        """
        apart = list(self._tree.shared_below(item))
        before = [self._corpora(each) for each in (item, *apart)]
        yield
        item.version += 1
        after = [self._corpora(each) for each in (item, *apart)]
        told = before[0] | after[0]
        self._note(item, told)
        for each, old, new in zip(apart, before[1:], after[1:], strict=True):
            self._note(each, (old | new) - told)

    def member_changed(self, drive: SharedDrive, user: str) -> None:
        """Record a changed membership in the user's log, with items shared individually."""
        self._logs.note(("user", user), "drive", drive.id)
        for item in self._tree.shared_below(self._tree.items[drive.id]):
            if user in item.readers:
                self._logs.note(("user", user), "file", item.id)

    def drive_changed(self, drive: SharedDrive) -> None:
        """Record a change of the shared drive itself."""
        for member in drive.members:
            self._logs.note(("user", member), "drive", drive.id)
        self._logs.note(("drive", drive.id), "drive", drive.id)

    def _corpora(self, item: Item) -> set[Corpus]:
        return self._tree.corpora(item) if item.id in self._tree.items else set()

    def _note(self, item: Item, corpora: set[Corpus]) -> None:
        for corpus in sorted(corpora):
            self._logs.note(corpus, "file", item.id)
