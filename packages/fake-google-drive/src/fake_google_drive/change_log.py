"""The log of one user or shared drive: what has changed, newest last, each item once."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

__all__ = ["FIRST_TOKEN", "Change", "ChangeLog", "ChangePage", "TokenExpired", "TokenUnknown"]

FIRST_TOKEN = 1000
_COMPACT_AT = 1024


class Change(NamedTuple):
    """A place in the log: the file or shared drive that has changed, and when."""

    seq: int
    kind: str
    id: str
    time: int


class ChangePage(NamedTuple):
    """Changes, and where to go on: `next` within the log, `head` when this was its end."""

    changes: list[Change]
    next: int | None
    head: int | None


class TokenUnknown(Exception):
    """A page token that this log never gave."""


class TokenExpired(Exception):
    """A page token that this log no longer takes."""


class ChangeLog:
    """Holds ids, not states: who reads a change sees what has become of the item since."""

    def __init__(self, first_token: int = FIRST_TOKEN) -> None:
        self._first = first_token
        self._next = first_token
        self._oldest = first_token
        self._order: list[Change | None] = []
        self._seqs: list[int] = []
        self._place: dict[tuple[str, str], int] = {}

    @property
    def head(self) -> int:
        """Return the token of changes to come."""
        return self._next

    def append(self, kind: str, changed_id: str, time: int) -> None:
        """Note a change; it replaces an older one of the same item."""
        place = self._place.get((kind, changed_id))
        if place is not None:
            self._order[place] = None
        self._place[kind, changed_id] = len(self._order)
        self._order.append(Change(self._next, kind, changed_id, time))
        self._seqs.append(self._next)
        self._next += 1
        if len(self._order) > max(_COMPACT_AT, 2 * len(self._place)):
            self._compact()

    def expire(self) -> None:
        """Refuse every token given so far."""
        self._next += 1
        self._oldest = self._next

    def page(self, token: int, limit: int) -> ChangePage:
        """Return what has changed since a token.

        Raises `TokenUnknown` and `TokenExpired`.
        """
        if not self._first <= token <= self._next:
            raise TokenUnknown
        if token < self._oldest:
            raise TokenExpired
        changes: list[Change] = []
        for place in range(bisect_left(self._seqs, token), len(self._order)):
            change = self._order[place]
            if change is None:
                continue
            if len(changes) == limit:
                return ChangePage(changes, change.seq, None)
            changes.append(change)
        return ChangePage(changes, None, self._next)

    def _compact(self) -> None:
        kept = [change for change in self._order if change is not None]
        self._order = [*kept]
        self._seqs = [change.seq for change in kept]
        self._place = {(change.kind, change.id): at for at, change in enumerate(kept)}
