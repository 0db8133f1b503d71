"""Access to a file for a worker, and changes while it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from raglive.sources.source import FileChanged, FileVanished
from raglive.store.registry.jobs import Job, Jobs
from raglive.store.registry.pipelines import PipelineRecord

from .watching import Watched


async def _claim(pipeline: PipelineRecord, folder: Path) -> tuple[Watched, Job, Path]:
    path = folder / "a.txt"
    path.write_text("one")
    watched = Watched(pipeline, folder)
    await watched.watcher.check()
    [job] = await Jobs(pipeline, "worker", 30).claim(1)
    return watched, job, path


async def test_provides_the_file_as_it_was_queued(pipeline: PipelineRecord, tmp_path: Path) -> None:
    watched, job, path = await _claim(pipeline, tmp_path)
    async with watched.watcher.fetch(job) as lent:
        assert lent == path


async def test_text_of_another_version_is_discarded(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    watched, job, path = await _claim(pipeline, tmp_path)
    with pytest.raises(FileChanged):
        async with watched.watcher.fetch(job):
            path.write_text("two, longer")
    with pytest.raises(FileChanged):
        async with watched.watcher.fetch(job):
            assert path.read_text() == "two, longer"
    path.unlink()
    with pytest.raises(FileVanished):
        async with watched.watcher.fetch(job):
            path.read_text()
