"""The watcher of Google Drive folders."""

from raglive.sources.google_drive.watcher import GoogleDriveWatcher

__all__ = ["GoogleDriveWatcher"]
