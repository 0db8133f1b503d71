"""Quota units as Google counts them: by minute, for each user and for the project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from fake_google_drive.errors import DriveError

__all__ = ["COSTS", "Quota"]

# https://developers.google.com/workspace/drive/api/guides/limits; the costs of writes are a guess
COSTS = {
    "about.get": 5,
    "changes.getStartPageToken": 5,
    "changes.list": 100,
    "changes.watch": 5,
    "channels.stop": 5,
    "drives.get": 5,
    "drives.list": 100,
    "files.copy": 50,
    "files.create": 50,
    "files.delete": 50,
    "files.download": 200,
    "files.export": 200,
    "files.get": 5,
    "files.getMedia": 200,
    "files.list": 100,
    "files.update": 50,
    "operations.get": 5,
    "permissions.create": 50,
    "permissions.delete": 50,
    "permissions.list": 100,
}


class Quota:
    """Counts the units of the present minute; `now` returns seconds."""

    def __init__(
        self, now: Callable[[], float], *, per_user: int = 325_000, per_project: int = 1_000_000
    ) -> None:
        self.per_user = per_user
        self.per_project = per_project
        self.total = 0
        self._now = now
        self._minute = -1
        self._used: Counter[str] = Counter()

    def charge(self, user: str, method: str) -> None:
        """Charge a request. Raises `DriveError` when the minute's units are used up."""
        self._turn()
        cost = COSTS.get(method, 0)
        if self._used[user] + cost > self.per_user:
            raise DriveError.user_rate_limit()
        if self._used.total() + cost > self.per_project:
            raise DriveError.rate_limit()
        self._used[user] += cost
        self.total += cost

    def used(self, user: str) -> int:
        """Return a user's units of the present minute."""
        self._turn()
        return self._used[user]

    def _turn(self) -> None:
        minute = int(self._now() // 60)
        if minute != self._minute:
            self._minute = minute
            self._used.clear()
