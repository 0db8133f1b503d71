"""Random histories in which Google Drive also refuses, lies and stays silent."""

from __future__ import annotations

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
LISTING_FAULTS = (
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

    def inject_faults(self, server: FakeDriveServer) -> None:
        """Replace the faults: half of the time a listing lies, and some requests are refused."""
        server.google.faults.clear()
        for _ in range(self.random.choice((0, 0, 1, 2))):
            times, after = self.random.choice((1, 2, 6, None)), self.random.randrange(6)
            method, kind = self.random.choice(METHODS), self.random.choice(REFUSALS)
            server.fail(method, kind, times=times, after=after)
        if self.random.random() < 0.5:
            kind = self.random.choice(LISTING_FAULTS)
            server.fail("files.list", kind, times=self.random.choice((1, None)))

    def approves(self) -> bool:
        """Return whether an operator approves what is held back, without a look."""
        return self.random.random() < 0.5
