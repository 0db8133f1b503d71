"""The local-files pipeline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from raglive.app.pipeline import Place, open_service, run_service
from raglive.app.wiring import Wiring
from raglive.database.pipelines import PipelineRecord
from raglive.pipeline.watchers.local_files.watcher import LocalFilesWatcher

__all__ = ["run_local_files"]


async def run_local_files(wiring: Wiring, folder: Path, stop: Awaitable[None]) -> None:
    """Watch a folder and index its files, until `stop` or, in single mode, until all is done."""
    settings = wiring.settings
    place = Place("local-files-pipeline", "local_files", settings.local_files_port)

    def watch(record: PipelineRecord, on_queued: Callable[[], None]) -> LocalFilesWatcher:
        return LocalFilesWatcher(
            record,
            folder,
            check_interval_seconds=settings.check_interval,
            ignore_patterns=settings.ignore_patterns,
            on_queued=on_queued,
        )

    async with open_service(wiring, place, watch) as service:
        await run_service(settings, service, place, stop)
