"""The folders in scope as a tree: what is below a watched folder, and by which path. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import Enum

from raglive.store.registry.google_drive import Folder

__all__ = ["FolderTree", "Reach"]


class Reach(Enum):
    """Whether a folder is below a watched one."""

    IN = "in"
    OUT = "out"
    UNKNOWN = "unknown"  # a folder above it is not known, or is known to be below it


class FolderTree:
    """Folders as they are known, and as they have become."""

    def __init__(self, known: Mapping[str, Folder]) -> None:
        self._folders = dict(known)
        self._outside: set[str] = set()  # certainly no part of it

    def get(self, folder_id: str | None) -> Folder | None:
        """Return a folder of the tree."""
        return self._folders.get(folder_id) if folder_id is not None else None

    def place(self, folder_id: str, parent_id: str | None, name: str) -> None:
        """Put a folder where it is now; a watched folder stays on top."""
        known = self._folders.get(folder_id)
        self._outside.discard(folder_id)
        if known is not None and known.is_root:
            path = name if known.path else ""
            self._folders[folder_id] = replace(known, name=name, path=path)
            return
        if parent_id is None:
            self._outside.add(folder_id)
        before = known or Folder(folder_id, parent_id, name, "")
        self._folders[folder_id] = replace(before, parent_id=parent_id, name=name)

    def take_out(self, folder_id: str) -> None:
        """Take a folder out, and so all that is below it."""
        self._folders.pop(folder_id, None)
        self._outside.add(folder_id)

    def reach(self, folder_id: str | None) -> Reach:
        """Say whether a folder is, or is below, a watched one."""
        if folder_id is None:
            return Reach.OUT
        for step in self._up(folder_id):
            if step is None:
                return Reach.UNKNOWN
            if step.is_root:
                return Reach.IN
            if step.parent_id is None or step.parent_id in self._outside:
                return Reach.OUT
        return Reach.UNKNOWN

    def holds(self, folder_id: str | None) -> bool:
        """Say whether a folder is certainly below a watched one."""
        return self.reach(folder_id) is Reach.IN

    def unknown_above(self, folder_id: str) -> set[str]:
        """Return the folders to ask for, to know whether this one is below a watched one."""
        if self.reach(folder_id) is not Reach.UNKNOWN:
            return set()
        passed = [folder_id]
        for step in self._up(folder_id):
            if step is None:
                return {passed[-1]}
            if step.parent_id is not None:
                passed.append(step.parent_id)
        return set(passed)  # a circle: each of them is asked for, and one has moved

    def with_path(self, folder_id: str) -> Folder:
        """Return a folder in scope with its path and its log."""
        above = []
        for step in self._up(folder_id):
            assert step is not None, "only folders in scope have a path"
            above.append(step)
            if step.is_root:
                break
        names = [step.name for step in reversed(above[:-1])]
        top = above[-1].path
        path = "/".join([top, *names] if top else names)
        return replace(above[0], path=path, log=above[-1].log)

    def _up(self, folder_id: str) -> Iterable[Folder | None]:
        """Yield a folder and those above it; None for the first that is not known."""
        met: set[str] = set()
        at: str | None = folder_id
        while at is not None and at not in met:
            if at in self._outside:
                yield Folder(at, None, "", "")
                return
            met.add(at)
            folder = self._folders.get(at)
            yield folder
            if folder is None:
                return
            at = None if folder.is_root else folder.parent_id
