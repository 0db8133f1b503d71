"""Plans the changes to the registry from the states of Drive items. Pure, without I/O."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from raglive.sources.google_drive.drive_file import DriveFile
from raglive.sources.google_drive.folder_tree import FolderScope, FolderTree
from raglive.store.registry.files import GoneReason, KnownFile, ObservedFile
from raglive.store.registry.google_drive import Folder, KnownItems, Shortcut

__all__ = ["Plan", "States", "decide", "parents_of"]

States = Mapping[str, DriveFile | None]
"""Items by id; None for an item that was removed from a change log or does not exist."""


@dataclass(slots=True)
class Plan:
    """The changes to write.

    If `ask` is not empty, the plan is incomplete: request these items and decide again.
    """

    ask: set[str] = field(default_factory=set)
    new: list[ObservedFile] = field(default_factory=list)
    changed: list[tuple[KnownFile, ObservedFile]] = field(default_factory=list)
    moved: list[tuple[KnownFile, ObservedFile]] = field(default_factory=list)
    gone: list[tuple[KnownFile, GoneReason]] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)
    repath: list[str] = field(default_factory=list)
    relist: list[str] = field(default_factory=list)
    gone_folders: dict[str, GoneReason] = field(default_factory=dict)
    shortcuts: list[Shortcut] = field(default_factory=list)
    targets: dict[str, str] = field(default_factory=dict)  # their shared drives, by id
    gone_shortcuts: list[str] = field(default_factory=list)
    lost_roots: set[str] = field(default_factory=set)
    found_unknown_folder: bool = False  # may contain a watched folder or a shortcut's target


def parents_of(states: States) -> set[str]:
    """Return the ids of the folders that contain the items."""
    return {state.parent for state in states.values() if state is not None and state.parent}


def decide(
    states: States,
    known: KnownItems,
    *,
    log: str | None = None,
    asked: Collection[str] = (),
    in_full: bool = False,
    leaves_unreadable: bool = False,
) -> Plan:
    """Compare the current states of items with the registry.

    `log` is the change log that reported them. An item that was removed from it may exist: it may
    belong to another log now, or still be shared. So it has to be requested. Without a log, and for
    items in `asked`, a missing item does not exist. During a full listing (`in_full`), the plan
    includes unchanged folders. With `leaves_unreadable`, a watched folder that cannot be read is no
    longer watched.
    """
    unreadable = [one.folder_id for one in known.folders.values() if one.state == "unreadable"]
    tree = FolderTree(known.folders, unreadable if leaves_unreadable else ())
    decision = _Decision(states, known, tree, log, asked)
    decision.of_folders(in_full=in_full)
    decision.of_shortcuts()
    decision.of_files()
    return decision.plan


class _Decision:
    def __init__(
        self,
        states: States,
        known: KnownItems,
        tree: FolderTree,
        log: str | None,
        asked: Collection[str],
    ) -> None:
        self.plan = Plan()
        self._states = states
        self._known = known
        self._log = log
        self._asked = asked
        self._tree = tree

    def of_folders(self, *, in_full: bool) -> None:
        placed = self._place_folders()
        for folder_id in placed:
            scope = self._tree.scope_of(folder_id)
            before = self._known.folders.get(folder_id)
            if scope is FolderScope.IN:
                self._put_folder(before, self._tree.with_path(folder_id), in_full=in_full)
            elif before is None:
                self.plan.found_unknown_folder = True
            elif scope is FolderScope.OUT:
                self.plan.gone_folders[folder_id] = "moved_out"
            else:
                self.plan.ask |= self._tree.unknown_above(folder_id)

    def of_shortcuts(self) -> None:
        for item_id, state in self._states.items():
            if state is not None and item_id in self._known.targets:
                self.plan.targets[item_id] = state.drive_id or ""
            before = self._known.shortcuts.get(item_id)
            if before is not None and state is None and not self._is_gone(item_id):
                continue
            after = None if state is None else self._shortcut(state)
            if after is not None and after != before:
                self.plan.shortcuts.append(after)
            elif after is None and before is not None:
                self.plan.gone_shortcuts.append(item_id)

    def of_files(self) -> None:
        for item_id, state in self._states.items():
            before = self._known.files.get(item_id)
            if state is None:
                if before is not None and self._is_gone(item_id):
                    self.plan.gone.append((before, "removed"))
            elif not state.is_folder and not state.is_shortcut:
                self._file(state, before)

    def _place_folders(self) -> list[str]:
        placed = []
        for item_id, state in self._states.items():
            known = self._known.folders.get(item_id)
            if state is not None and state.is_folder and not state.trashed:
                self._tree.place(item_id, state.parent, state.name)
                placed.append(item_id)
            elif known is not None:
                self._lose_folder(known, state)
            elif self._is_unknown_folder(item_id, state):
                self.plan.found_unknown_folder = True
                self._tree.take_out(item_id)
        return placed

    def _lose_folder(self, folder: Folder, state: DriveFile | None) -> None:
        if state is None and not self._is_gone(folder.folder_id):
            return
        if folder.is_root:
            self.plan.lost_roots.add(folder.folder_id)
            return
        self._tree.take_out(folder.folder_id)
        self.plan.gone_folders[folder.folder_id] = "removed" if state is None else "trashed"

    def _is_unknown_folder(self, item_id: str, state: DriveFile | None) -> bool:
        if state is not None:
            return state.is_folder
        return item_id not in self._known.files and item_id not in self._known.shortcuts

    def _put_folder(self, before: Folder | None, after: Folder, *, in_full: bool) -> None:
        is_same = before is not None and (
            (before.parent_id, before.name, before.path, before.log)
            == (after.parent_id, after.name, after.path, after.log)
        )
        if not is_same or in_full:
            self.plan.folders.append(after)
        if before is None:
            return
        if (before.path, before.log) != (after.path, after.log):
            self.plan.repath.append(after.folder_id)
        if before.log != after.log or after.folder_id in self._asked:
            # Changes in it were reported by another log, which may not have been read.
            self.plan.relist.append(after.folder_id)

    def _shortcut(self, state: DriveFile) -> Shortcut | None:
        is_wanted = (
            state.is_shortcut
            and state.target_id is not None
            and not state.trashed
            and state.parent is not None
        )
        if not is_wanted or not self._is_in_scope(
            state, is_known=state.id in self._known.shortcuts
        ):
            return None
        assert state.parent is not None
        assert state.target_id is not None
        log = self._tree.with_path(state.parent).log
        return Shortcut(state.id, state.parent, state.target_id, log)

    def _file(self, state: DriveFile, before: KnownFile | None) -> None:
        if state.trashed:
            if before is not None:
                self.plan.gone.append((before, "trashed"))
            return
        is_inside = self._is_in_scope(state, is_known=before is not None)
        if not is_inside and state.id not in self._known.targets:
            if before is not None:
                self.plan.gone.append((before, "moved_out"))
            return
        self._compare(before, self._observe(state, is_inside=is_inside))

    def _compare(self, before: KnownFile | None, after: ObservedFile) -> None:
        if before is None:
            self.plan.new.append(after)
            return
        if before.source.get("key") != after.source["key"]:
            self.plan.changed.append((before, after))
        same_place = (before.name, before.folder) == (after.name, after.folder)
        if not same_place or _without_key(before.source) != _without_key(after.source):
            self.plan.moved.append((before, after))

    def _observe(self, state: DriveFile, *, is_inside: bool) -> ObservedFile:
        folder = ""
        if is_inside and state.parent is not None:
            folder = self._tree.with_path(state.parent).path
        return ObservedFile(
            file_id=state.id,
            location=state.id,
            name=state.name,
            folder=folder,
            url=state.url,
            mime_type=state.mime_type or None,
            size_bytes=None if state.is_native else state.size,
            source={
                "key": state.content_key,
                "parent": state.parent,
                "type": state.mime_type,
                "read_as": state.read_as,
            },
        )

    def _is_in_scope(self, state: DriveFile, *, is_known: bool) -> bool:
        """Check whether an item is in scope, asking for unknown folders above it where necessary.

        That is necessary for known items, and for items of a shared drive in the account's own
        log: without a membership of the drive, this log reports changes in a folder, but not that
        the folder was moved into scope.
        """
        asks = is_known or (self._log == "" and state.drive_id is not None)
        if asks and state.parent and self._tree.scope_of(state.parent) is FolderScope.UNKNOWN:
            self.plan.ask |= self._tree.unknown_above(state.parent)
        return self._tree.contains(state.parent)

    def _is_gone(self, item_id: str) -> bool:
        """Check whether an item without a state does not exist; ask for it if a log says so."""
        if self._log is None or item_id in self._asked:
            return True
        self.plan.ask.add(item_id)
        return False


def _without_key(source: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in source.items() if name != "key"}
