"""The source for a folder on this machine."""

from raglive.sources.local_files.watcher import LocalFilesWatcher

__all__ = ["LocalFilesWatcher"]
