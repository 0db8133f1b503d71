"""Changes while the watcher runs."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from raglive.sources.local_files.location import path_of
from raglive.sources.local_files.quiet_period import OLD_SECONDS, QUIET_SECONDS
from raglive.sources.local_files.scope import WatchScope
from raglive.store.registry.jobs import Jobs
from raglive.store.registry.pipelines import PipelineRecord

from .watching import Watched, watching


async def test_a_file_from_its_first_save_to_its_deletion(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    async with watching(pipeline, tmp_path) as watched:
        path = tmp_path / "report.md"
        path.write_text("one")
        [row] = (await watched.until(lambda rows: rows)).values()
        assert watched.queued.is_set()
        assert (row["name"], row["folder"], row["state"]) == ("report.md", "", "queued")
        assert row["url"] == path.as_uri()
        assert (row["size_bytes"], row["mime_type"]) == (3, "text/markdown")

        path.write_text("another")
        await watched.until(lambda rows: rows["report.md"]["desired_generation"] == 2)
        os.utime(path)
        await watched.until(lambda rows: rows["report.md"]["desired_generation"] == 3)

        (tmp_path / "sub").mkdir()
        path.rename(tmp_path / "sub" / "final.md")
        moved = (await watched.until(lambda rows: "sub/final.md" in rows))["sub/final.md"]
        assert moved["file_id"] == row["file_id"]
        assert (moved["name"], moved["folder"]) == ("final.md", "sub")
        assert moved["desired_generation"] == 3

        (tmp_path / "sub" / "final.md").unlink()
        await watched.until(lambda rows: not rows)
        [deleted] = await watched.events("file:deleted")
        assert deleted["file"]["id"] == row["file_id"]
        assert deleted["reason"] == "removed"


async def test_editors_that_save_by_rename_change_the_same_file(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    async with watching(pipeline, tmp_path) as watched:
        (tmp_path / "a.txt").write_text("one")
        before = await watched.until(lambda rows: rows)
        (tmp_path / ".a.txt.swp").write_text("two!")
        (tmp_path / ".a.txt.swp").rename(tmp_path / "a.txt")
        await watched.until(lambda rows: rows["a.txt"]["desired_generation"] == 2)
        (tmp_path / "a.txt").rename(tmp_path / "a.txt~")
        (tmp_path / "a.txt").write_text("three")
        (tmp_path / "a.txt~").unlink()
        after = await watched.until(lambda rows: rows["a.txt"]["desired_generation"] == 3)
        assert after["a.txt"]["file_id"] == before["a.txt"]["file_id"]
        assert await watched.events("file:deleted") == []


async def test_renamed_folders_and_swapped_names_keep_ids_and_are_not_queued(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    for place in ("old/a.txt", "old/deep/b.txt", "x.txt", "y.txt"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(place)
    async with watching(pipeline, tmp_path) as watched:
        await watched.until_same()
        before = await watched.ids()
        (tmp_path / "old").rename(tmp_path / "new")
        (tmp_path / "x.txt").rename(tmp_path / "z")
        (tmp_path / "y.txt").rename(tmp_path / "x.txt")
        (tmp_path / "z").rename(tmp_path / "y.txt")
        (tmp_path / "new" / "deep" / "c.txt").write_text("into the renamed folder")
        rows = await watched.until_same()
        assert rows["new/a.txt"]["file_id"] == before["old/a.txt"]
        assert rows["new/deep/b.txt"]["file_id"] == before["old/deep/b.txt"]
        assert rows["x.txt"]["file_id"] == before["y.txt"]
        assert rows["y.txt"]["file_id"] == before["x.txt"]
        assert {row["desired_generation"] for row in rows.values()} == {1}
        assert await watched.events("file:deleted") == []


async def test_a_file_that_is_being_written_waits(pipeline: PipelineRecord, tmp_path: Path) -> None:
    async with watching(pipeline, tmp_path) as watched:
        with (tmp_path / "download.pdf").open("wb") as download:
            for part in range(3):
                download.write(b"%PDF" * 100)
                download.flush()
                (tmp_path / f"other{part}.txt").write_text("x")
                rows = await watched.until(lambda rows, part=part: f"other{part}.txt" in rows)  # type: ignore[misc]
                assert "download.pdf" not in rows
        rows = await watched.until(lambda rows: "download.pdf" in rows)
        assert rows["download.pdf"]["size_bytes"] == 1200


async def test_an_edit_while_it_is_processed_is_queued_behind(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    async with watching(pipeline, tmp_path) as watched:
        (tmp_path / "a.txt").write_text("one")
        await watched.until(lambda rows: rows)
        await Jobs(pipeline, "worker", 30).claim(1)
        (tmp_path / "a.txt").write_text("two, longer")
        rows = await watched.until(lambda rows: rows["a.txt"]["desired_generation"] == 2)
        assert rows["a.txt"]["state"] == "processing"
        assert rows["a.txt"]["leased_generation"] == 1


async def test_names_that_are_not_utf8_are_shown_and_found(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    raw = tmp_path / os.fsdecode(b"caf\xe9\n\x01.txt")
    async with watching(pipeline, tmp_path) as watched:
        raw.write_text("one")
        [row] = (await watched.until(lambda rows: rows)).values()
        assert row["name"] == "caf\N{REPLACEMENT CHARACTER}\n\x01.txt"
        assert path_of(tmp_path, row["location"]) == raw
        assert row["url"] == raw.as_uri()
        raw.rename(tmp_path / "café.txt")
        rows = await watched.until(lambda rows: "café.txt" in rows)
        assert rows["café.txt"]["file_id"] == row["file_id"]


async def test_links_and_hidden_and_special_files(pipeline: PipelineRecord, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    folder = tmp_path / "watched"
    for place in (outside, folder):
        place.mkdir()
    (outside / "far.txt").write_text("x")
    scope = WatchScope(folder, ["*.log"], follow_links=True)
    async with watching(pipeline, folder, scope) as watched:
        os.mkfifo(folder / "pipe")
        (folder / ".hidden").write_text("x")
        (folder / "a.log").write_text("x")
        (folder / "link").symlink_to(outside)
        (outside / "loop").symlink_to(folder)
        await watched.until(lambda rows: rows.keys() == {"link/far.txt"})
        (outside / "more.txt").write_text("in a folder that only a link leads to")
        await watched.until(lambda rows: rows.keys() == {"link/far.txt", "link/more.txt"})
        (folder / "link").unlink()
        await watched.until(lambda rows: not rows)


async def test_links_that_leave_the_folder_are_not_followed(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "watched"
    for place in (outside, folder):
        place.mkdir()
    (outside / "far.txt").write_text("x")
    async with watching(pipeline, folder) as watched:
        (folder / "folder-link").symlink_to(outside)
        (folder / "file-link.txt").symlink_to(outside / "far.txt")
        (folder / "near.txt").write_text("x")
        (folder / "near-link.txt").symlink_to("near.txt")
        await watched.until(lambda rows: rows.keys() == {"near.txt", "near-link.txt"})
        (folder / "near.txt").unlink()
        (folder / "near.txt").symlink_to(outside / "far.txt")
        await watched.until(lambda rows: "near.txt" not in rows)
    assert (await Watched(pipeline, folder).watcher.check()).files == 0


async def test_an_edit_that_keeps_size_and_time_is_noticed(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    path = tmp_path / "same.txt"
    path.write_text("AAAA first text")
    async with watching(pipeline, tmp_path) as watched:
        [before] = (await watched.until(lambda rows: rows)).values()
        status = path.stat()
        with path.open("r+") as file:
            file.write("BBBB other text")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        await watched.until(
            lambda rows: rows["same.txt"]["desired_generation"] > before["desired_generation"]
        )


async def test_a_file_that_its_writer_keeps_open_is_waited_for(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    async with watching(pipeline, tmp_path) as watched:
        with (tmp_path / "slow.txt").open("w") as slow:
            slow.write("first half")
            slow.flush()
            (tmp_path / "other.txt").write_text("x")
            os.utime(tmp_path / "other.txt", (1, 1))
            await watched.until(lambda rows: rows)
            await asyncio.sleep(QUIET_SECONDS + OLD_SECONDS)  # no signal can say "still waiting"
            assert (await watched.rows()).keys() == {"other.txt"}
            slow.write("second half")
        await watched.until(lambda rows: rows.keys() == {"other.txt", "slow.txt"})


async def test_a_file_that_was_open_before_the_start_is_waited_for(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    with (tmp_path / "slow.txt").open("w") as slow:
        slow.write("first half")
        slow.flush()
        os.utime(tmp_path / "slow.txt", (time.time() - 10, time.time() - 10))
        assert (await Watched(pipeline, tmp_path).watcher.check()).new == 0
    assert (await Watched(pipeline, tmp_path).watcher.check()).new == 1


async def test_a_file_saved_by_moving_it_over_the_old_one_keeps_its_id(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    """Excel renames the old file to an ignored name, and a file that was seen to the old name."""
    book, fresh = tmp_path / "book.xlsx", tmp_path / "D5C21000"
    book.write_bytes(b"old")
    async with watching(pipeline, tmp_path) as watched:
        [before] = (await watched.until(lambda rows: rows)).values()
        fresh.write_bytes(b"new content")
        await watched.until(lambda rows: len(rows) == 2)
        book.rename(tmp_path / "5E1F.tmp")
        fresh.rename(book)
        (tmp_path / "5E1F.tmp").unlink()
        rows = await watched.until(lambda rows: rows.keys() == {"book.xlsx"})
        assert rows["book.xlsx"]["file_id"] == before["file_id"]
        assert rows["book.xlsx"]["desired_generation"] > before["desired_generation"]


async def test_a_copy_and_a_hard_link_are_separate_files(
    pipeline: PipelineRecord, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("x")
    async with watching(pipeline, tmp_path) as watched:
        await watched.until_same()
        (tmp_path / "b.txt").hardlink_to(tmp_path / "a.txt")
        (tmp_path / "c.txt").write_bytes((tmp_path / "a.txt").read_bytes())
        rows = await watched.until_same()
        assert len({row["file_id"] for row in rows.values()}) == 3
