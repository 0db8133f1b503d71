"""A folder on disk and its mirror in a Drive."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from fake_google_drive.drive import FakeDrive
from fake_google_drive.folder import FolderMirror
from fake_google_drive.items import Item

NAMES = ["a", "b", "c.txt"]
place = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
deed = st.tuples(st.sampled_from(["write", "folder", "remove", "rename", "save"]), place, place)
clock = itertools.count(1)


def do(folder: Path, name: str, at: str, to: str) -> None:
    """Perform an action on disk if it is possible."""
    one, other = folder / at, folder / to
    try:
        match name:
            case "folder":
                one.mkdir(parents=True)
            case "remove" if one.is_dir():
                shutil.rmtree(one)
            case "remove":
                one.unlink()
            case "rename" if not other.exists():
                one.rename(other)
            case "write" | "save":
                written = folder / ".new" if name == "save" else one
                written.write_text(f"{to} {next(clock)}", "utf-8")
                os.utime(written, ns=(0, next(clock)))
                written.replace(one)
    except OSError:
        return


def on_disk(folder: Path) -> dict[str, str | None]:
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_text("utf-8")
        for path in folder.rglob("[!.]*")
    }


def in_drive(drive: FakeDrive, root: Item) -> dict[str, str | None]:
    def path(item: Item) -> str:
        names = [each.name for each in drive.tree.lineage(item) if each.parent is not None]
        return "/".join(reversed(names))

    def text(item: Item) -> str | None:
        if item.content is None:
            return None
        return b"".join(item.content.chunks(0, item.content.size)).decode()

    return {path(item): text(item) for item in drive.tree.below(root)}


@settings(max_examples=100)
@given(rounds=st.lists(st.lists(deed, max_size=8), max_size=5))
def test_the_mirror_equals_the_folder_after_any_actions(
    rounds: list[list[tuple[str, str, str]]],
) -> None:
    async def run(folder: Path) -> None:
        drive = FakeDrive()
        root = drive.my_drive("ann@example.com")
        mirror = FolderMirror(drive, root, folder)
        for deeds in rounds:
            for name, at, to in deeds:
                do(folder, name, at, to)
            await mirror.scan()
            assert in_drive(drive, root) == on_disk(folder)
            before = drive.logs.of(("user", "ann@example.com")).head
            await mirror.scan()
            assert drive.logs.of(("user", "ann@example.com")).head == before

    with tempfile.TemporaryDirectory() as name:
        asyncio.run(run(Path(name)))


async def test_renamed_moved_and_saved_files_keep_their_ids(tmp_path: Path) -> None:
    drive = FakeDrive()
    root = drive.my_drive("ann@example.com")
    mirror = FolderMirror(drive, root, tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("1", "utf-8")
    await mirror.scan()
    ids = {item.name: item.id for item in drive.tree.below(root)}

    (tmp_path / "folder").rename(tmp_path / "moved")
    (tmp_path / "moved" / "a.txt").rename(tmp_path / "b.txt")
    (tmp_path / "new").write_text("longer", "utf-8")
    (tmp_path / "new").replace(tmp_path / "b.txt")
    await mirror.scan()
    now = {item.name: item.id for item in drive.tree.below(root)}
    assert now["moved"] == ids["folder"]
    (tmp_path / "new").write_text("longer still", "utf-8")
    (tmp_path / "new").replace(tmp_path / "b.txt")
    await mirror.scan()
    assert drive.get(now["b.txt"]).content is not None

    again = FakeDrive()
    await FolderMirror(again, again.my_drive("ann@example.com"), tmp_path).scan()
    assert now["moved"] in again.tree.items
    shutil.rmtree(tmp_path)
    await mirror.scan()
    assert now["moved"] in drive.tree.items
