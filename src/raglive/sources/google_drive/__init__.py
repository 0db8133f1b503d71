"""The source for folders of Google Drive."""

from raglive.sources.google_drive.watcher import GoogleDriveWatcher

__all__ = ["GoogleDriveWatcher"]
