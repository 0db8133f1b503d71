"""A Drive in memory: the actions of its users, recorded in change logs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from fake_google_drive.change_logs import FIRST_TOKEN, ChangeLogs, ChangeRecorder
from fake_google_drive.content import Bytes, Content
from fake_google_drive.items import Ids, Item, SharedDrive
from fake_google_drive.mime import FOLDER, SHORTCUT, guess_mime_type
from fake_google_drive.tree import Tree

__all__ = ["FakeDrive"]

Contents = bytes | str | Content


class FakeDrive:
    """Users, their My Drives, shared drives, and all items in them, without I/O.

    `now` returns seconds since 1970. With a `lag`, a change appears in the logs only after that
    many calls of `tick`, in order; the items show it at once.
    """

    def __init__(
        self,
        *,
        lag: int = 0,
        seed: str = "raglive",
        first_token: int = FIRST_TOKEN,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.now = now
        self.ids = Ids(seed)
        self.tree = Tree()
        self.logs = ChangeLogs(lag, first_token, self._now_ms)
        self._recorder = ChangeRecorder(self.tree, self.logs)
        self._last_ms = 0

    # People and drives

    def my_drive(self, user: str) -> Item:
        """Return the root of a user's My Drive, and create the user if needed."""
        if user not in self.tree.my_drives:
            at = self._now_ms()
            root = Item(self.ids.root(), "My Drive", FOLDER, None, user, at, at)
            self.tree.my_drives[user] = root
            self.tree.add(root)
        return self.tree.my_drives[user]

    def shared_drive(self, name: str, members: Iterable[str]) -> Item:
        """Create a shared drive with members, and return its root, which has the drive's id."""
        at = self._now_ms()
        root = Item(self.ids.root(), "Drive", FOLDER, None, None, at, at)
        self.tree.shared_drives[root.id] = SharedDrive(root.id, name, at, {})
        self.tree.add(root)
        for member in members:
            self.add_member(root, member)
        return root

    def add_member(self, drive: Item | str, user: str) -> None:
        """Add a user to a shared drive; the user's log records the drive, not its items."""
        self.my_drive(user)
        shared = self._shared_drive(drive)
        shared.members[user] = None
        self._recorder.member_changed(shared, user)

    def remove_member(self, drive: Item | str, user: str) -> None:
        """Remove a user from a shared drive."""
        shared = self._shared_drive(drive)
        shared.members.pop(user, None)
        self._recorder.member_changed(shared, user)

    def rename_drive(self, drive: Item | str, name: str) -> None:
        """Rename a shared drive."""
        shared = self._shared_drive(drive)
        shared.name = name
        self._recorder.drive_changed(shared)

    # Items

    def get(self, item: Item | str) -> Item:
        """Return an item by its id; raise `KeyError` if it was deleted."""
        return self.tree.items[item if isinstance(item, str) else item.id]

    def create(
        self,
        name: str,
        parent: Item | str,
        content: Contents = b"",
        *,
        mime_type: str | None = None,
        modified: float | None = None,
        file_id: str | None = None,
    ) -> Item:
        """Create a file; its media type is guessed from the name unless given."""
        kind = mime_type or guess_mime_type(name)
        return self._add(name, parent, kind, modified, file_id=file_id, content=_content(content))

    def create_folder(self, name: str, parent: Item | str, *, file_id: str | None = None) -> Item:
        """Create a folder, optionally with a chosen id."""
        return self._add(name, parent, FOLDER, file_id=file_id)

    def create_native(
        self,
        name: str,
        parent: Item | str,
        mime_type: str,
        exports: Mapping[str, Contents],
        *,
        modified: float | None = None,
    ) -> Item:
        """Create a Google document; `exports` has its content by media type."""
        made = {format_: _content(data) for format_, data in exports.items()}
        return self._add(name, parent, mime_type, modified, exports=made)

    def create_shortcut(
        self, target: Item | str, parent: Item | str, name: str | None = None
    ) -> Item:
        """Create a shortcut, by default with the target's name."""
        to = self.get(target)
        return self._add(name or to.name, parent, SHORTCUT, target=to)

    def write(self, item: Item | str, content: Contents, *, modified: float | None = None) -> None:
        """Replace a file's content."""
        of = self._file(item)
        if of.content is None:
            raise ValueError(f"{of.name!r} has no bytes of its own.")
        of.content = _content(content)
        of.revision += 1
        self._edited(of, modified)

    def write_native(
        self, item: Item | str, exports: Mapping[str, Contents], *, modified: float | None = None
    ) -> None:
        """Replace the exports of a Google document."""
        of = self._file(item)
        if of.exports is None:
            raise ValueError(f"{of.name!r} is not one of Google's own documents.")
        of.exports = {format_: _content(data) for format_, data in exports.items()}
        self._edited(of, modified)

    def touch(self, item: Item | str) -> None:
        """Raise an item's version and record the change, without a visible difference."""
        self._recorder.changed(self.get(item))

    def rename(self, item: Item | str, name: str) -> None:
        """Rename an item; its modification time stays, as in Drive."""
        of = self._file(item)
        of.name = name
        self._recorder.changed(of)

    def move(self, item: Item | str, parent: Item | str) -> None:
        """Move an item; raise `ValueError` if the new folder is inside the item."""
        of, to = self._file(item), self._folder(parent)
        with self._recorder.changing(of):
            left = self.tree.root(of)
            self.tree.move(of, to.id)
            arrived = self.tree.root(of)
            if arrived is not left:
                for each in (of, *self.tree.below(of)):
                    each.owner = arrived.owner

    def trash(self, item: Item | str) -> None:
        """Trash an item and its contents; the logs record the item alone."""
        of = self._file(item)
        with self._recorder.changing(of):
            of.is_explicitly_trashed = True
            of.trashed = self._now_ms()

    def untrash(self, item: Item | str) -> None:
        """Restore an item and those of its contents that were not trashed individually."""
        of = self._file(item)
        with self._recorder.changing(of):
            of.is_explicitly_trashed = False
            of.trashed = None

    def delete(self, item: Item | str) -> None:
        """Delete an item and its contents permanently; the logs record the item alone."""
        of = self._file(item)
        with self._recorder.changing(of):
            self.tree.remove(of)

    def share(self, item: Item | str, user: str) -> None:
        """Share an item and its contents with a user."""
        self.my_drive(user)
        of = self._file(item)
        with self._recorder.changing(of):
            self.tree.share(of, user, self._now_ms())

    def unshare(self, item: Item | str, user: str) -> None:
        """Undo `share`."""
        of = self._file(item)
        with self._recorder.changing(of):
            self.tree.unshare(of, user)

    def share_by_link(self, item: Item | str) -> str:
        """Share an item and its contents with everyone who has the link; return its resource key.

        No log of another user records the item.
        """
        of = self._file(item)
        of.is_shared_by_link = True
        self._recorder.changed(of)
        return self.tree.resource_key(of) or ""

    def unshare_by_link(self, item: Item | str) -> None:
        """Undo `share_by_link`."""
        of = self._file(item)
        of.is_shared_by_link = False
        self._recorder.changed(of)

    def set_downloadable(self, item: Item | str, allowed: bool) -> None:
        """Allow or forbid download and export of a file (`capabilities.canDownload`)."""
        of = self._file(item)
        of.can_download = allowed
        self._recorder.changed(of)

    def flag_as_abusive(self, item: Item | str) -> None:
        """Mark a file as malware: only its owner can download it, with `acknowledgeAbuse`."""
        of = self._file(item)
        of.is_abusive = True
        self._recorder.changed(of)

    def files_under(self, folder: Item | str, user: str) -> Iterator[Item]:
        """Yield the files and folders below a folder that a user sees and that are not trashed."""
        for item in self.tree.below(self.get(folder)):
            if self.tree.is_visible(item, user) and not self.tree.is_trashed(item):
                yield item

    # Time

    def tick(self, times: int = 1) -> None:
        """Advance the logs that lag by `times` ticks."""
        self.logs.tick(times)

    def catch_up(self) -> None:
        """Make all pending changes appear in the logs."""
        self.logs.catch_up()

    def expire_page_tokens(self) -> None:
        """Make all page tokens issued so far expire."""
        self.logs.expire()

    # Shared steps

    def _add(
        self,
        name: str,
        parent: Item | str,
        mime_type: str,
        modified: float | None = None,
        *,
        file_id: str | None = None,
        content: Content | None = None,
        exports: Mapping[str, Content] | None = None,
        target: Item | None = None,
    ) -> Item:
        folder = self._folder(parent)
        if file_id in self.tree.items:
            raise ValueError(f"A file with the id {file_id} exists already.")
        at = self._now_ms()
        changed = at if modified is None else int(modified * 1000)
        item = Item(
            file_id or self.ids.file(), name, mime_type, folder.id, self.tree.root(folder).owner,
            at, changed, content, exports,
        )  # fmt: skip
        if target is not None:
            item.target_id, item.target_mime_type = target.id, target.mime_type
        self.tree.add(item)
        self._recorder.changed(item)
        return item

    def _edited(self, item: Item, modified: float | None) -> None:
        item.modified = self._now_ms() if modified is None else int(modified * 1000)
        self._recorder.changed(item)

    def _folder(self, parent: Item | str) -> Item:
        folder = self.get(parent)
        if not folder.is_folder:
            raise ValueError(f"{folder.name!r} is not a folder.")
        return folder

    def _file(self, item: Item | str) -> Item:
        found = self.get(item)
        if found.parent is None:
            raise ValueError(f"{found.name!r} is the root of a drive and cannot be changed.")
        return found

    def _shared_drive(self, drive: Item | str) -> SharedDrive:
        return self.tree.shared_drives[drive if isinstance(drive, str) else drive.id]

    def _now_ms(self) -> int:
        self._last_ms = max(self._last_ms, int(self.now() * 1000))
        return self._last_ms


def _content(given: Contents) -> Content:
    if isinstance(given, str):
        return Bytes(given.encode())
    return Bytes(given) if isinstance(given, bytes) else given
