"""What a Google Drive pipeline stores in addition to its files."""

from raglive.store.registry.google_drive.rows import (
    Folder,
    KnownItems,
    RelocatedFiles,
    Removals,
    Shortcut,
)
from raglive.store.registry.google_drive.tables import GoogleDriveTables

__all__ = [
    "Folder",
    "GoogleDriveTables",
    "KnownItems",
    "RelocatedFiles",
    "Removals",
    "Shortcut",
]
