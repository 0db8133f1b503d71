"""A double of Google Drive: its v3 interface over HTTP on loopback, with faults on demand."""

from __future__ import annotations

from fake_google_drive.drive import FakeDrive
from fake_google_drive.faults import Fault, FaultKind
from fake_google_drive.google import FakeGoogle
from fake_google_drive.items import Item
from fake_google_drive.server import FakeDriveServer

__all__ = ["FakeDrive", "FakeDriveServer", "FakeGoogle", "Fault", "FaultKind", "Item"]
