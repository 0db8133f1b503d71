"""Changes while no watcher ran, and single checks."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from raglive.sources.local_files.scope import WatchScope
from raglive.sources.source import CheckResult
from raglive.store.registry.pipelines import PipelineRecord

from .watching import Watched, watching

LONG_AGO = time.time() - 1000


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (LONG_AGO, LONG_AGO))


async def _check(watched: Watched) -> CheckResult:
    result = await watched.watcher.check()
    assert watched.watcher.last_check is not None
    return result


async def test_a_single_check_finds_the_state_of_each_file(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    watched = Watched(pipeline, tmp_path)
    for name in ("kept", "edited", "renamed", "x", "y", "deleted", "carried"):
        _write(tmp_path / f"{name}.txt", f"This is the file {name}.")
    first = await _check(watched)
    assert (first.files, first.new) == (7, 7)
    before = await watched.ids()

    _write(tmp_path / "edited.txt", "Something else.")
    _write(tmp_path / "new.txt", "New here.")
    (tmp_path / "renamed.txt").rename(tmp_path / "RENAMED.txt")
    (tmp_path / "x.txt").rename(tmp_path / "z")
    (tmp_path / "y.txt").rename(tmp_path / "x.txt")
    (tmp_path / "z").rename(tmp_path / "y.txt")
    (tmp_path / "deleted.txt").unlink()
    (tmp_path / "sub").mkdir()
    shutil.copy2(tmp_path / "carried.txt", tmp_path / "sub" / "carried.txt")
    (tmp_path / "carried.txt").unlink()

    second = await _check(watched)
    assert (second.new, second.changed, second.moved, second.deleted) == (1, 2, 4, 1)
    after = await watched.ids()
    assert after == {
        "kept.txt": before["kept.txt"],
        "edited.txt": before["edited.txt"],
        "RENAMED.txt": before["renamed.txt"],
        "x.txt": before["y.txt"],
        "y.txt": before["x.txt"],
        "sub/carried.txt": before["carried.txt"],
        "new.txt": after["new.txt"],
    }
    third = await _check(Watched(pipeline, tmp_path))
    assert (third.files, third.new, third.changed, third.moved, third.deleted) == (7, 0, 0, 0, 0)


async def test_a_single_check_waits_for_what_is_being_written(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    (tmp_path / "fresh.txt").write_text("written just now")
    watched = Watched(pipeline, tmp_path)
    assert (await _check(watched)).new == 1
    assert (await watched.rows()).keys() == {"fresh.txt"}


async def test_many_files_are_written_in_transactions_of_bounded_size(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    for number in range(1200):
        _write(tmp_path / f"folder{number % 7}" / f"{number}.txt", "x")
    watched = Watched(pipeline, tmp_path)
    assert (await _check(watched)).new == 1200
    counts = [e["changes"]["files_queued"]["count"] for e in await watched.events("status:update")]
    assert counts == [500, 500, 200]
    assert {row["source"]["size"] for row in (await watched.rows()).values()} == {1}

    (tmp_path / "folder3").rename(tmp_path / "moved")
    result = await _check(watched)
    assert (result.moved, result.new, result.deleted) == (171, 0, 0)


async def test_files_that_are_ignored_later_leave_the_index(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    _write(tmp_path / "drafts" / "a.txt", "a")
    _write(tmp_path / "b.txt", "b")
    await _check(Watched(pipeline, tmp_path))
    watched = Watched(pipeline, tmp_path, WatchScope(tmp_path, ["drafts/"]))
    assert (await _check(watched)).deleted == 1
    assert (await watched.rows()).keys() == {"b.txt"}


async def test_the_watcher_starts_again_where_it_stopped(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    _write(tmp_path / "a.txt", "a")
    for number in range(3):
        async with watching(pipeline, tmp_path) as watched:
            (tmp_path / f"{number}.txt").write_text("x")
            await watched.until_same()
    assert len(await watched.rows()) == 4
    assert {row["desired_generation"] for row in (await watched.rows()).values()} == {1}
