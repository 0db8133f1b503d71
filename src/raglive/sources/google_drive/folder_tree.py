"""The tree of folders: which are in a watched folder, and by which path. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import Enum

from raglive.store.registry.google_drive import Folder

__all__ = ["FolderScope", "FolderTree"]


class FolderScope(Enum):
    """Whether a folder is in a watched folder."""

    IN = "in"
    OUT = "out"
    UNKNOWN = "unknown"  # a folder above it is unknown, or the known parents form a cycle


class FolderTree:
    """The folders of the registry, updated with their current state.

    Folders in `outside` are certainly not in a watched folder.
    """

    def __init__(self, known: Mapping[str, Folder], outside: Iterable[str] = ()) -> None:
        self._folders = dict(known)
        self._outside = set(outside)

    def get(self, folder_id: str | None) -> Folder | None:
        """Return a folder, None if it is not in the tree."""
        return self._folders.get(folder_id) if folder_id is not None else None

    def place(self, folder_id: str, parent_id: str | None, name: str) -> None:
        """Move a folder to its current parent; a watched folder remains a root."""
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
        """Remove a folder with everything below it."""
        self._folders.pop(folder_id, None)
        self._outside.add(folder_id)

    def scope_of(self, folder_id: str | None) -> FolderScope:
        """Determine whether a folder is, or is in, a watched folder."""
        if folder_id is None:
            return FolderScope.OUT
        for step in self._up(folder_id):
            if step is None:
                return FolderScope.UNKNOWN
            if step.is_root:
                return FolderScope.IN
            if step.parent_id is None or step.parent_id in self._outside:
                return FolderScope.OUT
        return FolderScope.UNKNOWN

    def contains(self, folder_id: str | None) -> bool:
        """Check whether a folder is certainly in a watched folder."""
        return self.scope_of(folder_id) is FolderScope.IN

    def unknown_above(self, folder_id: str) -> set[str]:
        """Return the folders to request in order to determine the scope of this one."""
        if self.scope_of(folder_id) is not FolderScope.UNKNOWN:
            return set()
        passed = [folder_id]
        for step in self._up(folder_id):
            if step is None:
                return {passed[-1]}
            if step.parent_id is not None:
                passed.append(step.parent_id)
        return set(passed)  # a cycle: one of these folders has been moved

    def with_path(self, folder_id: str) -> Folder:
        """Return a folder in scope with its current path and log."""
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
        """Yield a folder and those above it, and None in place of the first unknown one."""
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
