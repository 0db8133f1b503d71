"""Bursts of changes, an unavailable database, and failing notifications."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from watchdog.observers.inotify_c import InotifyFD

from raglive.sources.local_files.notifications.inotify import InotifySource
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from tests.relay import Relay

from .watching import watching

STORM = 2000  # files


def _storm(folder: Path, seed: int) -> None:
    """Write, edit, rename and delete files and folders as fast as possible."""
    chance, live = random.Random(seed), list[Path]()
    for number in range(STORM):
        place = folder / f"a{number // 100}" / f"b{number % 7}" / f"{number}.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"content {number}")
        live.append(place)
        one = chance.randrange(len(live))
        match chance.choices(["nothing", "delete", "rename", "edit"], [5, 1, 2, 1])[0]:
            case "delete":
                live.pop(one).unlink()
            case "rename":
                to = folder / f"m{number % 13}" / f"r{number}.txt"
                to.parent.mkdir(exist_ok=True)
                live[one] = live[one].rename(to)
            case "edit":
                live[one].write_text(f"edited {number}")
        if number % 500 == 499:
            old, new = folder / f"a{number // 100 - 1}", folder / f"z{number}"
            old.rename(new)
            live = [new / p.relative_to(old) if p.is_relative_to(old) else p for p in live]


async def test_after_many_changes_the_registry_equals_the_folder(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    async with watching(pipeline, tmp_path) as watched:
        await asyncio.to_thread(_storm, tmp_path, 1)
        rows = await watched.until_same()
        assert len(rows) > STORM / 2


async def test_a_full_check_finds_changes_of_lost_notifications(
    pipeline: PipelineRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf, heard = threading.Event(), InotifySource.on_event

    def on_event(self: InotifySource, event: Any) -> None:
        deaf.wait(30)  # the reader stops reading, so that the kernel's queue overflows
        heard(self, event)

    monkeypatch.setattr(InotifySource, "on_event", on_event)
    queue = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    async with watching(pipeline, tmp_path) as watched:
        for number in range(queue // 2):
            (tmp_path / f"{number}").touch()
            (tmp_path / f"{number}").unlink()
        (tmp_path / "last.txt").write_text("without a notification")
        deaf.set()
        await watched.until_same()


async def test_a_notification_reader_that_dies_is_restarted(
    pipeline: PipelineRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[InotifyFD] = []
    start = InotifyFD.start

    def note(reader: InotifyFD) -> None:
        readers.append(reader)
        start(reader)

    monkeypatch.setattr(InotifyFD, "start", note)
    async with watching(pipeline, tmp_path) as watched:
        readers[0].stop()
        readers[0].join(10)
        (tmp_path / "a.txt").write_text("x")
        await watched.until_same()
        assert len(readers) == 2
    assert not any(reader.is_alive() for reader in readers)


@pytest.mark.parametrize("limit", [errno.ENOSPC, errno.EMFILE])
async def test_without_notifications_the_folder_is_polled(
    pipeline: PipelineRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    def refuse(*_args: object) -> None:
        raise OSError(limit, os.strerror(limit))

    refused = "add_callback" if limit == errno.ENOSPC else "_create_inotify_fd"
    monkeypatch.setattr(InotifyFD, refused, refuse)
    async with watching(pipeline, tmp_path) as watched:
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "a.txt").write_text("x")
        await watched.until_same()
        monkeypatch.undo()
        (tmp_path / "sub" / "b.txt").write_text("found by the check that hears again")
        await watched.until_same()


async def test_an_unavailable_database_loses_nothing(
    pipeline: PipelineRecord, dsn: str, tmp_path: Path
) -> None:
    (tmp_path / "gone.txt").write_text("x")
    async with Relay(dsn) as relay:
        database = await Database.connect(relay.dsn, name="watcher")
        record = PipelineRecord(database, pipeline.key, pipeline.pipeline_id, "local_files")
        try:
            async with watching(record, tmp_path, listen=dsn) as watched:
                await watched.until_same()
                watched.record = pipeline
                await relay.cut()
                for number in range(20):
                    (tmp_path / f"{number}.txt").write_text("x")
                (tmp_path / "gone.txt").unlink()
                (tmp_path / "3.txt").rename(tmp_path / "three.txt")
                watched.queued.clear()
                await relay.restore()
                await watched.until_same()
                assert watched.queued.is_set()
        finally:
            await database.close()


async def test_a_cancelled_watcher_releases_everything(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    before = threading.active_count()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        async with watching(pipeline, tmp_path):
            pass
    assert threading.active_count() <= before + 4  # the loop's own pool
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors + 5
