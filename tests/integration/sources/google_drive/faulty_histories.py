"""Random histories in which Google Drive also refuses, lies and stays silent."""

from __future__ import annotations

from typing import Any

from fake_google_drive.faults import FaultKind
from fake_google_drive.server import FakeDriveServer
from tests.integration.sources.google_drive.root_histories import RootHistory

__all__ = ["FaultyHistory"]

REFUSALS = (
    FaultKind.AUTOMATED_QUERIES,
    FaultKind.CUT,
    FaultKind.DAILY_LIMIT,
    FaultKind.DOMAIN_POLICY,
    FaultKind.INTERNAL,
    FaultKind.NOT_A_MEMBER,
    FaultKind.REDIRECT_TO_SIGN_IN,
    FaultKind.SIGN_IN_PAGE,
    FaultKind.UNAUTHENTICATED,
    FaultKind.UNAVAILABLE,
    FaultKind.UNKNOWN_REASON,
    FaultKind.USER_RATE_LIMIT,
)
LIES = (
    FaultKind.EMPTY,
    FaultKind.INCOMPLETE_SEARCH,
    FaultKind.SEVERAL_PARENTS_EMPTY,
    FaultKind.SEVERAL_PARENTS_PARTIAL,
)
METHODS = ("files.get", "files.list", "changes.list", "changes.getStartPageToken", "drives.get")


class FaultyHistory(RootHistory):
    """A history in which each check meets other faults, and held deletions may be approved."""

    expected_errors = RootHistory.expected_errors | {
        "auth_required",
        "drive_disabled",
        "drive_listing_incomplete",
        "drive_rate_limited",
        "drive_refused",
        "drive_unavailable",
    }

    def _extend(self) -> None:
        """Fill the watched folders, and choose in which way listings of several folders lie.

        A listing that is empty without a reason hides shortcuts as well, which are not requested
        one by one. Such a history has none. No log reports what is shared by link. A history with
        either lists everything at each check.
        """
        super()._extend()
        self._lie = self.random.choice(LIES)
        self._is_first = True
        self._lists_fully = self._lie is FaultKind.EMPTY
        if self._lie is FaultKind.EMPTY:
            self.interference_rate = 0
            self.steps = {
                name: weight
                for name, weight in self.steps.items()
                if name not in {"shortcut", "foreign_file"}
            }
        elif self.random.random() < 0.4:
            self._lists_fully = True
            self.steps = {**self.steps, "linked_file": 2, "unlink": 1}
        for root in self._watchable[:3]:
            for number in range(self.random.randrange(5)):
                folder = self.drive.create_folder(f"filled {number}", root)
                self.drive.create(f"{number}.txt", folder, f"filled {number}")

    def watcher_options(self) -> dict[str, Any]:
        """Apply the settings, as `RootHistory` does."""
        options = super().watcher_options()
        return options | ({"full_listing_seconds": 0} if self._lists_fully else {})

    def inject_faults(self, server: FakeDriveServer) -> None:
        """Replace the faults: some requests are refused, and mostly, listings lie."""
        server.google.faults.clear()
        is_first, self._is_first = self._is_first, False
        for _ in range(self.random.choice((0, 0, 0, 1, 2))):
            times, after = self.random.choice((1, 2, 6, None)), self.random.randrange(12)
            method, kind = self.random.choice(METHODS), self.random.choice(REFUSALS)
            server.fail(method, kind, times=times, after=after)
        if self.random.random() < 0.7 and not (is_first and self._lie is FaultKind.EMPTY):
            server.fail("files.list", self._lie, times=None)

    def approves(self) -> bool:
        """Return whether an operator approves what is held back, without a look."""
        return self.random.random() < 0.5
