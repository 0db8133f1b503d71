"""The composed local-files pipeline, run once over a folder or until the test ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from raglive.app.installation import Installation
from raglive.app.pipeline import PipelineDefaults, open_service
from raglive.app.sources import run_local_files
from raglive.ingest.pipeline_service import PipelineService
from raglive.settings import read_settings
from raglive.sources.local_files.scope import WatchScope
from raglive.sources.local_files.watcher import LocalFilesWatcher
from raglive.store.registry.pipelines import PipelineRecord

__all__ = ["document", "ingest", "watching", "wired"]

WORDS_PER_PARAGRAPH = 150


def document(about: str, paragraphs: int) -> str:
    """Return a text of distinct paragraphs, about one chunk each."""
    return "".join(
        f"Paragraph {number} {about}. "
        + " ".join(f"w{word}{about}{number}" for word in range(WORDS_PER_PARAGRAPH))
        + ".\n\n"
        for number in range(paragraphs)
    )


async def ingest(dsn: str, folder: Path, provider_url: str, **settings: str) -> None:
    """Index the present files of the folder, with the embedding provider at the address."""
    wiring = wired(dsn, provider_url, RUN_MODE="single", **settings)
    await run_local_files(wiring, folder, asyncio.get_running_loop().create_future())


@asynccontextmanager
async def watching(wiring: Installation, folder: Path) -> AsyncIterator[PipelineService]:
    """Watch a folder and index its files until the block ends."""

    def watch(record: PipelineRecord, on_queued: Callable[[], None]) -> LocalFilesWatcher:
        return LocalFilesWatcher(
            record, WatchScope(folder), check_interval_seconds=60, on_queued=on_queued
        )

    place = PipelineDefaults("local-files-pipeline", "local_files", 0)
    async with open_service(wiring, place, watch) as service:
        running = asyncio.create_task(service.run())
        try:
            yield service
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def wired(dsn: str, provider_url: str | None, **settings: str) -> Installation:
    """Return the wiring with the embedding provider at the address, None for the built-in model."""
    other = {
        "EMBEDDING_PROVIDER": "openai",
        "EMBEDDING_MODEL": "small",
        "EMBEDDING_BASE_URL": provider_url or "",
    }
    environment = {"RAGLIVE_WORKERS": "1", **(other if provider_url else {}), **settings}
    return Installation(read_settings(environment), dsn, "secret")
