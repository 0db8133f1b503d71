"""The watcher of Google Drive folders."""

from raglive.pipeline.watchers.google_drive.watcher import GoogleDriveWatcher

__all__ = ["GoogleDriveWatcher"]
