"""A Drive in memory: what people do with it, and the change logs that tell of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from fake_google_drive.change_log import FIRST_TOKEN
from fake_google_drive.content import Bytes, Content
from fake_google_drive.items import Ids, Item, SharedDrive
from fake_google_drive.logs import Logs
from fake_google_drive.mime import FOLDER, SHORTCUT, guess_mime_type
from fake_google_drive.narrator import Narrator
from fake_google_drive.tree import Tree

__all__ = ["FakeDrive"]

Contents = bytes | str | Content


class FakeDrive:
    """Users, their My Drives, shared drives, and everything in them.

    Nothing here does I/O. `now` gives seconds since 1970. With a `lag`, a change appears in the
    logs only after that many calls of `tick`, always in order; the items show it at once.
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
        self.logs = Logs(lag, first_token, self._now_ms)
        self._narrator = Narrator(self.tree, self.logs)
        self._last_ms = 0

    # People and drives

    def my_drive(self, user: str) -> Item:
        """Return the root of a user's My Drive; the user is made when new."""
        if user not in self.tree.my_drives:
            at = self._now_ms()
            root = Item(self.ids.root(), "My Drive", FOLDER, None, user, at, at)
            self.tree.my_drives[user] = root
            self.tree.add(root)
        return self.tree.my_drives[user]

    def shared_drive(self, name: str, members: Iterable[str]) -> Item:
        """Make a shared drive with these members; return its root, whose id is the drive's."""
        at = self._now_ms()
        root = Item(self.ids.root(), "Drive", FOLDER, None, None, at, at)
        self.tree.shared_drives[root.id] = SharedDrive(root.id, name, at, {})
        self.tree.add(root)
        for member in members:
            self.add_member(root, member)
        return root

    def add_member(self, drive: Item | str, user: str) -> None:
        """Let a user into a shared drive; the user's log tells of the drive, not of its items."""
        self.my_drive(user)
        shared = self._shared_drive(drive)
        shared.members[user] = None
        self._narrator.member_changed(shared, user)

    def remove_member(self, drive: Item | str, user: str) -> None:
        """Shut a user out of a shared drive."""
        shared = self._shared_drive(drive)
        shared.members.pop(user, None)
        self._narrator.member_changed(shared, user)

    def rename_drive(self, drive: Item | str, name: str) -> None:
        """Give a shared drive another name."""
        shared = self._shared_drive(drive)
        shared.name = name
        self._narrator.drive_changed(shared)

    # Items

    def get(self, item: Item | str) -> Item:
        """Return an item by its id; raise `KeyError` when it is gone."""
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
        """Upload a file; its media type is guessed from its name unless given."""
        kind = mime_type or guess_mime_type(name)
        return self._add(name, parent, kind, modified, file_id=file_id, content=_content(content))

    def create_folder(self, name: str, parent: Item | str, *, file_id: str | None = None) -> Item:
        """Make a folder."""
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
        """Make one of Google's own documents: what it exports to, by media type."""
        made = {format_: _content(data) for format_, data in exports.items()}
        return self._add(name, parent, mime_type, modified, exports=made)

    def create_shortcut(
        self, target: Item | str, parent: Item | str, name: str | None = None
    ) -> Item:
        """Make a shortcut to an item."""
        to = self.get(target)
        return self._add(name or to.name, parent, SHORTCUT, target=to)

    def write(self, item: Item | str, content: Contents, *, modified: float | None = None) -> None:
        """Give a file other bytes."""
        of = self._file(item)
        if of.content is None:
            raise ValueError(f"{of.name!r} has no bytes of its own.")
        of.content = _content(content)
        of.revision += 1
        self._edited(of, modified)

    def write_native(
        self, item: Item | str, exports: Mapping[str, Contents], *, modified: float | None = None
    ) -> None:
        """Edit one of Google's own documents."""
        of = self._file(item)
        if of.exports is None:
            raise ValueError(f"{of.name!r} is not one of Google's own documents.")
        of.exports = {format_: _content(data) for format_, data in exports.items()}
        self._edited(of, modified)

    def touch(self, item: Item | str) -> None:
        """Change what nobody sees: the version rises, and the logs tell of it."""
        self._narrator.changed(self.get(item))

    def rename(self, item: Item | str, name: str) -> None:
        """Give an item another name; its modification time stays, as in Drive."""
        of = self._file(item)
        of.name = name
        self._narrator.changed(of)

    def move(self, item: Item | str, parent: Item | str) -> None:
        """Put an item into another folder; raise `ValueError` when that is below the item."""
        of, to = self._file(item), self._folder(parent)
        with self._narrator.changing(of):
            left = self.tree.root(of)
            self.tree.move(of, to.id)
            arrived = self.tree.root(of)
            if arrived is not left:
                for each in (of, *self.tree.below(of)):
                    each.owner = arrived.owner

    def trash(self, item: Item | str) -> None:
        """Trash an item, and so all that is below it; the logs tell of the item alone."""
        of = self._file(item)
        with self._narrator.changing(of):
            of.is_explicitly_trashed = True
            of.trashed = self._now_ms()

    def untrash(self, item: Item | str) -> None:
        """Take an item out of the trash, with all below it that was not trashed by itself."""
        of = self._file(item)
        with self._narrator.changing(of):
            of.is_explicitly_trashed = False
            of.trashed = None

    def delete(self, item: Item | str) -> None:
        """Delete an item for ever, with all that is below it; the logs tell of the item alone."""
        of = self._file(item)
        with self._narrator.changing(of):
            self.tree.remove(of)

    def share(self, item: Item | str, user: str) -> None:
        """Let a user see an item and all that is below it."""
        self.my_drive(user)
        of = self._file(item)
        with self._narrator.changing(of):
            self.tree.share(of, user, self._now_ms())

    def unshare(self, item: Item | str, user: str) -> None:
        """Take back what `share` gave."""
        of = self._file(item)
        with self._narrator.changing(of):
            self.tree.unshare(of, user)

    def set_downloadable(self, item: Item | str, allowed: bool) -> None:
        """Allow or forbid to download and export a file (`capabilities.canDownload`)."""
        of = self._file(item)
        of.can_download = allowed
        self._narrator.changed(of)

    def flag_as_abusive(self, item: Item | str) -> None:
        """Mark a file as malware: only its owner gets it, with `acknowledgeAbuse`."""
        of = self._file(item)
        of.is_abusive = True
        self._narrator.changed(of)

    def files_under(self, folder: Item | str, user: str) -> Iterator[Item]:
        """Yield what a user finds below a folder that is not trashed, folders too."""
        for item in self.tree.below(self.get(folder)):
            if self.tree.is_visible(item, user) and not self.tree.is_trashed(item):
                yield item

    # Time

    def tick(self, times: int = 1) -> None:
        """Let time pass for logs that lag."""
        self.logs.tick(times)

    def catch_up(self) -> None:
        """Let every log tell all it has to."""
        self.logs.catch_up()

    def expire_page_tokens(self) -> None:
        """Let every log refuse the tokens that it has given so far."""
        self.logs.expire()

    # Steps that several of the above take

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
            raise ValueError(f"There is a file {file_id} already.")
        at = self._now_ms()
        changed = at if modified is None else int(modified * 1000)
        item = Item(
            file_id or self.ids.file(), name, mime_type, folder.id, self.tree.root(folder).owner,
            at, changed, content, exports,
        )  # fmt: skip
        if target is not None:
            item.target_id, item.target_mime_type = target.id, target.mime_type
        self.tree.add(item)
        self._narrator.changed(item)
        return item

    def _edited(self, item: Item, modified: float | None) -> None:
        item.modified = self._now_ms() if modified is None else int(modified * 1000)
        self._narrator.changed(item)

    def _folder(self, parent: Item | str) -> Item:
        folder = self.get(parent)
        if not folder.is_folder:
            raise ValueError(f"{folder.name!r} is not a folder.")
        return folder

    def _file(self, item: Item | str) -> Item:
        found = self.get(item)
        if found.parent is None:
            raise ValueError(f"{found.name!r} is the root of a drive: it stays as it is.")
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
