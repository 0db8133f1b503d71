"""Access to a file for a worker, and changes while it is read."""

from __future__ import annotations

import os
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
    async with watched.watcher.fetch(job) as opened:
        assert isinstance(opened, int)
        assert os.path.sameopenfile(opened, os.open(path, os.O_RDONLY))


async def test_text_of_another_version_is_discarded(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    watched, job, path = await _claim(pipeline, tmp_path)
    with pytest.raises(FileChanged):
        async with watched.watcher.fetch(job):
            path.write_text("two, longer")
    with pytest.raises(FileChanged):
        async with watched.watcher.fetch(job):
            pytest.fail("another version was opened")
    path.unlink()
    with pytest.raises(FileVanished):
        async with watched.watcher.fetch(job):
            pytest.fail("a missing file was opened")


@pytest.mark.parametrize("swapped", ["a.txt", "."])
async def test_a_link_that_stands_there_only_while_the_file_is_opened_is_not_read(
    pipeline: PipelineRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    folder, secret = tmp_path / "watched", tmp_path / "secret"
    folder.mkdir()
    secret.mkdir()
    (secret / "a.txt").write_text("key")
    watched, job, _path = await _claim(pipeline, folder)
    place = folder / "a.txt" if swapped == "a.txt" else folder
    open_file = os.open

    def swap_while_opening(path: Path, flags: int) -> int:
        monkeypatch.undo()
        place.rename(tmp_path / "aside")
        place.symlink_to(secret / "a.txt" if swapped == "a.txt" else secret)
        descriptor = open_file(path, flags)
        place.unlink()
        (tmp_path / "aside").rename(place)
        return descriptor

    monkeypatch.setattr(os, "open", swap_while_opening)
    with pytest.raises(FileVanished, match="a link that is not followed"):
        async with watched.watcher.fetch(job):
            pytest.fail("the link's target was opened")
