"""A double of Google Drive: its v3 interface over HTTP on loopback, with faults on demand."""

from __future__ import annotations

from raglive.fake_drive.drive import FakeDrive
from raglive.fake_drive.faults import Fault, FaultKind
from raglive.fake_drive.google import FakeGoogle
from raglive.fake_drive.items import Item
from raglive.fake_drive.server import FakeDriveServer

__all__ = ["FakeDrive", "FakeDriveServer", "FakeGoogle", "Fault", "FaultKind", "Item"]
