"""What stands around a Drive: credentials, quota, faults, channels, and a record of requests."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import NamedTuple

from fake_google_drive.channels import Channels
from fake_google_drive.drive import FakeDrive
from fake_google_drive.faults import Fault, FaultKind, Faults
from fake_google_drive.listing import Listings
from fake_google_drive.oauth import OAuth
from fake_google_drive.quota import Quota

__all__ = ["FakeGoogle", "Operation", "Request"]

EXPORT_LIMIT_BYTES = 10 * 1024 * 1024
REMEMBERED_REQUESTS = 100_000
MAX_OPERATIONS = 1000


class Request(NamedTuple):
    """A request that was answered: Drive's name of the method, the user, the file, the status."""

    method: str
    user: str
    file_id: str | None
    status: int


@dataclass(slots=True)
class Operation:
    """A long-running download: done after so many more looks."""

    name: str
    user: str
    file_id: str
    mime_type: str | None
    looks_left: int
    failed: bool = False


class FakeGoogle:
    """A Drive and its surroundings; nothing here does I/O.

    `operation_looks` is how often a long-running download says that it is not done yet;
    `private_key`, in PEM form, is the service account's, by default a new one.
    """

    def __init__(
        self,
        drive: FakeDrive,
        *,
        export_limit_bytes: int = EXPORT_LIMIT_BYTES,
        operation_looks: int = 1,
        private_key: str | None = None,
    ) -> None:
        self.drive = drive
        self.export_limit_bytes = export_limit_bytes
        self.operation_looks = operation_looks
        self.listings = Listings(drive)
        self.oauth = OAuth(drive.now, drive.tree.my_drives.__contains__, private_key)
        self.quota = Quota(drive.now)
        self.channels = Channels(drive.now)
        self.faults = Faults()
        self.requests: deque[Request] = deque(maxlen=REMEMBERED_REQUESTS)
        # How a change log refuses a token that was expired by `expire_page_tokens`.
        self.expired_page_token = FaultKind.PAGE_TOKEN_GONE
        self._operations: OrderedDict[str, Operation] = OrderedDict()

    def fail(
        self,
        method: str,
        kind: FaultKind | str,
        *,
        times: int | None = 1,
        after: int = 0,
        file_id: str | None = None,
        user: str | None = None,
        seconds: float | None = None,
    ) -> None:
        """Let `times` requests of a method go wrong, after that many more that do not."""
        kind = FaultKind(kind)
        self.faults.add(Fault(kind, method, times, after, file_id, user, seconds))

    def start_operation(self, user: str, file_id: str, mime_type: str | None) -> Operation:
        """Start a long-running download."""
        name = self.drive.ids.opaque()
        operation = Operation(name, user, file_id, mime_type, self.operation_looks)
        self._operations[name] = operation
        if len(self._operations) > MAX_OPERATIONS:
            self._operations.popitem(last=False)
        return operation

    def operation(self, name: str) -> Operation | None:
        """Return a long-running download."""
        return self._operations.get(name)
