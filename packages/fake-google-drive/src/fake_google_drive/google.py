"""The services around a Drive: credentials, quota, faults, channels, request log."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import NamedTuple

from fake_google_drive.channels import PushChannels
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
    """An answered request; `method` is Drive's name, such as `files.list`."""

    method: str
    user: str
    file_id: str | None
    status: int


@dataclass(slots=True)
class Operation:
    """A long-running download; it is done after `looks_left` more calls of `operations.get`."""

    name: str
    user: str
    file_id: str
    mime_type: str | None
    looks_left: int
    failed: bool = False


class FakeGoogle:
    """A Drive with its surrounding services, without I/O.

    `operation_looks` is the number of `operations.get` calls before a long-running download is
    done. `private_key` is the service account's in PEM form, by default a new one.
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
        self.channels = PushChannels(drive.now)
        self.faults = Faults()
        self.requests: deque[Request] = deque(maxlen=REMEMBERED_REQUESTS)
        # The error for page tokens that `expire_page_tokens` made expire.
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
        """Make the next `times` requests of a method fail, after `after` that succeed."""
        kind = FaultKind(kind)
        self.faults.add(Fault(kind, method, times, after, file_id, user, seconds))

    def start_operation(self, user: str, file_id: str, mime_type: str | None) -> Operation:
        """Start a long-running download; of more than 1,000, the oldest is dropped."""
        name = self.drive.ids.opaque()
        operation = Operation(name, user, file_id, mime_type, self.operation_looks)
        self._operations[name] = operation
        if len(self._operations) > MAX_OPERATIONS:
            self._operations.popitem(last=False)
        return operation

    def operation(self, name: str) -> Operation | None:
        """Return a long-running download by name, or `None`."""
        return self._operations.get(name)
