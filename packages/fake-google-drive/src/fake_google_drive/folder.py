"""A mirror of a local folder in a Drive."""

from __future__ import annotations

import asyncio
import hashlib
import os
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from fake_google_drive.content import LocalFile
from fake_google_drive.drive import FakeDrive
from fake_google_drive.items import Item

__all__ = ["FolderMirror"]

SCAN_SECONDS = 1.0


class _Inode(NamedTuple):
    device: int
    number: int
    is_folder: bool

    def file_id(self) -> str:
        """Return an id that survives renames and restarts."""
        digest = hashlib.blake2b(f"{self.device}:{self.number}".encode(), digest_size=24).digest()
        return "1" + urlsafe_b64encode(digest).decode()


class _Seen(NamedTuple):
    path: Path
    inode: _Inode
    size: int
    modified_ns: int


class FolderMirror:
    """Mirrors a local folder into a folder of a Drive, without hidden files and links.

    A file that is renamed or moved on disk is renamed or moved in the Drive, and keeps its id.
    """

    def __init__(self, drive: FakeDrive, root: Item, folder: Path) -> None:
        self._drive = drive
        self._root = root
        self._folder = folder
        self._items: dict[_Inode, Item] = {}
        self._places: dict[Path, _Inode] = {}

    async def run(self) -> None:
        """Scan every second until cancelled."""
        while True:
            await self.scan()
            await asyncio.sleep(SCAN_SECONDS)

    async def scan(self) -> None:
        """Scan the folder once, and apply its changes to the Drive."""
        if not self._folder.is_dir():
            return
        seen = await asyncio.to_thread(lambda: {each.inode: each for each in _walk(self._folder)})
        self._adopt(seen)
        contents = await asyncio.to_thread(self._read, seen)
        self._places = {each.path: inode for inode, each in seen.items()}
        for each in seen.values():
            self._follow(each, contents.get(each.inode))
        self._remove(seen)

    def _adopt(self, seen: dict[_Inode, _Seen]) -> None:
        """Recognize a file that an editor has replaced with a new one of the same name."""
        for inode, each in seen.items():
            old = self._places.get(each.path)
            if old is None or old in seen or old not in self._items or inode in self._items:
                continue
            if old.is_folder == inode.is_folder:
                self._items[inode] = self._items.pop(old)

    def _read(self, seen: dict[_Inode, _Seen]) -> dict[_Inode, LocalFile]:
        """Open new and changed files, and compute their checksums in advance."""
        contents = {}
        for inode, each in seen.items():
            if inode.is_folder or self._is_current(each):
                continue
            with suppress(OSError):
                contents[inode] = LocalFile(each.path)
                _ = contents[inode].checksums
        return contents

    def _is_current(self, each: _Seen) -> bool:
        item = self._items.get(each.inode)
        if item is None or not isinstance(item.content, LocalFile):
            return False
        held = item.content
        return (held.size, held.modified_ns) == (each.size, each.modified_ns)

    def _follow(self, each: _Seen, content: LocalFile | None) -> None:
        parent = self._parent(each)
        item = self._items.get(each.inode)
        if parent is None or (item is None and content is None and not each.inode.is_folder):
            return
        if item is None:
            self._items[each.inode] = self._create(each, parent, content)
            return
        if item.parent != parent.id:
            self._drive.move(item, parent)
        if item.name != each.path.name:
            self._drive.rename(item, each.path.name)
        if content is not None:
            self._drive.write(item, content, modified=content.modified_ns / 1e9)
        elif isinstance(item.content, LocalFile):
            item.content.path = each.path

    def _create(self, each: _Seen, parent: Item, content: LocalFile | None) -> Item:
        file_id: str | None = each.inode.file_id()
        if file_id in self._drive.tree.items:
            file_id = None
        name = each.path.name
        if content is None:
            return self._drive.create_folder(name, parent, file_id=file_id)
        modified = content.modified_ns / 1e9
        return self._drive.create(name, parent, content, modified=modified, file_id=file_id)

    def _parent(self, each: _Seen) -> Item | None:
        if each.path.parent == self._folder:
            return self._root
        inode = self._places.get(each.path.parent)
        return None if inode is None else self._items.get(inode)

    def _remove(self, seen: dict[_Inode, _Seen]) -> None:
        for inode in [inode for inode in self._items if inode not in seen]:
            item = self._items.pop(inode)
            if item.id in self._drive.tree.items:
                self._drive.delete(item)


def _walk(folder: Path) -> Iterator[_Seen]:
    waiting = [folder]
    for each in waiting:
        with suppress(OSError), os.scandir(each) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.startswith(".") or entry.is_symlink():
                    continue
                status = entry.stat(follow_symlinks=False)
                path, is_folder = Path(entry.path), entry.is_dir(follow_symlinks=False)
                if is_folder:
                    waiting.append(path)
                if is_folder or entry.is_file(follow_symlinks=False):
                    inode = _Inode(status.st_dev, status.st_ino, is_folder)
                    yield _Seen(path, inode, status.st_size, status.st_mtime_ns)
