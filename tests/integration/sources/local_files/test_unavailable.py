"""A watched folder that is missing or was replaced: nothing is deleted."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from raglive.app.installation import Installation
from raglive.app.operations import approve
from raglive.settings import read_settings
from raglive.sources.local_files.scope import WatchScope
from raglive.sources.source import FolderUnavailable
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.errors import RagliveError

from .watching import Watched, watching

UNAVAILABLE = "watch_location_unavailable"
HELD = "deletions_held"
LONG_AGO = time.time() - 1000


def _fill(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or ("a.txt", "b.txt"):
        (folder / name).write_text(name)
        os.utime(folder / name, (LONG_AGO, LONG_AGO))


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    _fill(tmp_path / "docs")
    return tmp_path / "docs"


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on another device."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


async def test_a_folder_that_does_not_exist_is_refused(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    for place, reason in (("nowhere", "does not exist"), ("file", "is not a folder")):
        watched = Watched(pipeline, tmp_path / place)
        for start in (watched.watcher.run, watched.watcher.check):
            with pytest.raises(FolderUnavailable, match=f"{place} {reason}") as refused:
                await start()
            assert "RAG_WATCH_DIRECTORY" in refused.value.message


async def test_a_folder_that_disappears_loses_nothing_and_is_watched_again(
    pipeline: PipelineRecord, docs: Path, tmp_path: Path
) -> None:
    async with watching(pipeline, docs) as watched:
        before = await watched.ids()
        docs.rename(tmp_path / "away")
        message = await watched.until_problem(UNAVAILABLE)
        assert str(docs) in message
        assert await watched.ids() == before
        (tmp_path / "away" / "c.txt").write_text("added while it was away")
        (tmp_path / "away").rename(docs)
        await watched.until_problem(None)
        await watched.until_same()
        (docs / "d.txt").write_text("hints are heard again")
        rows = await watched.until(lambda rows: "d.txt" in rows)
        assert {at: rows[at]["file_id"] for at in before} == before
        assert await watched.events("file:deleted") == []


async def test_a_folder_removed_with_its_contents_loses_nothing(
    pipeline: PipelineRecord, docs: Path
) -> None:
    async with watching(pipeline, docs) as watched:
        shutil.rmtree(docs)
        await watched.until_problem(UNAVAILABLE)
        assert len(await watched.rows()) == 2


async def test_all_files_may_be_deleted_in_a_folder_that_stays(
    pipeline: PipelineRecord, docs: Path
) -> None:
    async with watching(pipeline, docs) as watched:
        for path in docs.iterdir():
            path.unlink()
        await watched.until(lambda rows: not rows)
        assert await watched.problem() is None


async def test_all_files_may_be_deleted_while_no_watcher_runs(
    pipeline: PipelineRecord, docs: Path
) -> None:
    await Watched(pipeline, docs).watcher.check()
    for path in docs.iterdir():
        path.unlink()
    assert (await Watched(pipeline, docs).watcher.check()).deleted == 2


async def test_an_empty_folder_in_its_place_deletes_only_when_approved(
    pipeline: PipelineRecord, docs: Path, tmp_path: Path
) -> None:
    wiring = Installation(read_settings({}), pipeline.database.dsn, "secret")
    async with watching(pipeline, docs) as watched:
        docs.rename(tmp_path / "away")
        await watched.until_problem(UNAVAILABLE)
        with pytest.raises(RagliveError, match="create an empty folder in its place"):
            await approve(wiring, None)
        _fill(docs, "c.txt")
        message = await watched.until_problem(HELD)
        await watched.until(lambda rows: len(rows) == 3)
        assert "raglive pipeline approve" in message
    result = await Watched(pipeline, docs).watcher.check()
    assert (result.held, result.deleted) == (2, 0)
    async with watching(pipeline, docs) as watched:
        assert "2 files are missing" in await watched.until_problem(HELD)
        with pytest.raises(RagliveError, match="nothing to approve"):
            await approve(wiring, "another-pipeline")
        approved = await approve(wiring, None)
        assert "2 files are missing" in approved.message
        await watched.until(lambda rows: rows.keys() == {"c.txt"})
        await watched.until_problem(None)
        with pytest.raises(RagliveError, match="nothing to approve"):
            await approve(wiring, None)
        (docs / "c.txt").unlink()
        await watched.until(lambda rows: not rows)
    acts = await pipeline.database.fetch("SELECT action, pipeline_id FROM raglive.operator_acts")
    assert [tuple(act) for act in acts] == [("deletions_approved", pipeline.pipeline_id)]
    assert (await pipeline.watch_state())["deletions_approved"] is False
    assert (await pipeline.watch_state())["root"]["inode"] == docs.stat().st_ino


async def test_held_files_are_found_when_the_folder_is_back(
    pipeline: PipelineRecord, docs: Path, tmp_path: Path
) -> None:
    async with watching(pipeline, docs) as watched:
        before = await watched.ids()
        docs.rename(tmp_path / "away")
        docs.mkdir()
        await watched.until_problem(HELD)
        docs.rmdir()
        (tmp_path / "away").rename(docs)
        await watched.until_problem(None)
        assert await watched.ids() == before
        assert await watched.events("file:deleted") == []


@pytest.mark.optional
async def test_deletions_on_an_unmounted_disk_are_held_back(
    pipeline: PipelineRecord, docs: Path, other_disk: Path
) -> None:
    _fill(other_disk, "far.txt")
    mount_point = docs.parent / "mounted"
    mount_point.symlink_to(other_disk)
    (docs / "disk").symlink_to(mount_point)
    scope = WatchScope(docs, follow_links=True)
    await Watched(pipeline, docs, scope).watcher.check()
    mount_point.unlink()  # now the link is broken, as when a disk is not mounted
    watched = Watched(pipeline, docs, scope)
    assert (await watched.watcher.check()).held == 1
    assert "disk/far.txt" in await watched.until_problem(HELD)
    mount_point.symlink_to(other_disk)
    async with watching(pipeline, docs, scope) as watched:
        await watched.until_problem(None)
        (other_disk / "far.txt").unlink()
        await watched.until(lambda rows: rows.keys() == {"a.txt", "b.txt"})


@pytest.mark.optional
@pytest.mark.parametrize("folder_link", [True, False])
async def test_a_link_to_another_disk_that_is_removed_deletes_its_files(
    pipeline: PipelineRecord, docs: Path, other_disk: Path, *, folder_link: bool
) -> None:
    _fill(other_disk, "far.txt")
    link = docs / "link"
    async with watching(pipeline, docs, WatchScope(docs, follow_links=True)) as watched:
        link.symlink_to(other_disk if folder_link else other_disk / "far.txt")
        await watched.until(lambda rows: len(rows) == 3)
        if folder_link:  # a notification adds this one, and not a full check
            (other_disk / "later.txt").write_text("x")
            await watched.until(lambda rows: len(rows) == 4)
        link.unlink()
        await watched.until(lambda rows: rows.keys() == {"a.txt", "b.txt"})
        assert await watched.problem() is None


async def test_a_missing_file_of_another_disk_is_held(pipeline: PipelineRecord, docs: Path) -> None:
    await Watched(pipeline, docs).watcher.check()
    await pipeline.database.execute(
        "UPDATE raglive.files SET source = source || '{\"volume\": 4711}' WHERE location = 'a.txt'"
    )
    (docs / "a.txt").unlink()
    assert (await Watched(pipeline, docs).watcher.check()).held == 1


async def test_deletions_are_held_back_when_the_root_is_on_another_device(
    pipeline: PipelineRecord, docs: Path, other_disk: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    root.symlink_to(docs)
    await Watched(pipeline, root).watcher.check()
    root.unlink()
    root.symlink_to(other_disk)
    watched = Watched(pipeline, root)
    result = await watched.watcher.check()
    assert (result.files, result.held, result.deleted) == (0, 2, 0)
    await watched.until_problem(HELD)


async def test_the_problem_of_another_component_is_not_cleared(
    pipeline: PipelineRecord, docs: Path
) -> None:
    await pipeline.set_problem("embedding_rejected", "The key was refused.")
    watched = Watched(pipeline, docs)
    await watched.watcher.check()
    problem = await watched.problem()
    assert problem is not None
    assert problem["code"] == "embedding_rejected"


async def test_an_approval_covers_only_the_files_that_were_reported(
    pipeline: PipelineRecord, docs: Path, tmp_path: Path
) -> None:
    wiring = Installation(read_settings({}), pipeline.database.dsn, "secret")
    await Watched(pipeline, docs).watcher.check()
    docs.rename(tmp_path / "away")
    _fill(docs, "c.txt")
    assert (await Watched(pipeline, docs).watcher.check()).held == 2
    await approve(wiring, None)
    docs.rename(tmp_path / "away too")
    docs.mkdir()  # as when another disk disappears before the next check
    assert (await Watched(pipeline, docs).watcher.check()).held == 3

    await approve(wiring, None)
    assert (await Watched(pipeline, docs).watcher.check()).deleted == 3
    assert (await pipeline.watch_state())["deletions_approved"] is False
