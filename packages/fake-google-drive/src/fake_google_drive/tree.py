"""Items by id and by folder, with visibility, trash and the logs of their changes."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterator

from fake_google_drive.items import Item, SharedDrive

__all__ = ["Corpus", "Tree"]

MAX_DEPTH = 1000

# The scope of a change log: ("user", e-mail) or ("drive", id).
Corpus = tuple[str, str]


class Tree:
    """All items, without clock or logs."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.shared_drives: dict[str, SharedDrive] = {}
        self.my_drives: dict[str, Item] = {}
        self._children: dict[str, dict[str, Item]] = {}
        self._shared: dict[str, Item] = {}

    def add(self, item: Item) -> None:
        """Add an item under its parent."""
        self.items[item.id] = item
        if item.parent is not None:
            self._children.setdefault(item.parent, {})[item.id] = item

    def move(self, item: Item, parent: str) -> None:
        """Move an item; raise `ValueError` if the new folder is inside the item."""
        if any(ancestor is item for ancestor in self.lineage(self.items[parent])):
            raise ValueError(f"{item.name!r} cannot be moved into itself.")
        if item.parent is not None:
            del self._children[item.parent][item.id]
        item.parent = parent
        self._children.setdefault(parent, {})[item.id] = item

    def remove(self, item: Item) -> None:
        """Remove an item with its contents."""
        for each in (item, *self.below(item)):
            del self.items[each.id]
            self._shared.pop(each.id, None)
            self._children.pop(each.id, None)
        if item.parent is not None:
            self._children[item.parent].pop(item.id, None)

    def share(self, item: Item, user: str, at: int) -> None:
        """Share an item with a user, from a time in milliseconds."""
        item.readers[user] = at
        self._shared[item.id] = item

    def unshare(self, item: Item, user: str) -> None:
        """Undo `share`."""
        item.readers.pop(user, None)
        if not item.readers:
            self._shared.pop(item.id, None)

    def shared_below(self, folder: Item) -> Iterator[Item]:
        """Yield the items below a folder that are shared individually."""
        for item in self._shared.values():
            if item is not folder and folder in self.lineage(item):
                yield item

    def children(self, folder_id: str) -> list[Item]:
        """Return the direct contents of a folder, oldest first."""
        return list(self._children.get(folder_id, {}).values())

    def below(self, folder: Item) -> Iterator[Item]:
        """Yield everything below a folder, direct contents first."""
        waiting = [folder.id]
        while waiting:
            for child in self._children.get(waiting.pop(), {}).values():
                yield child
                if child.is_folder:
                    waiting.append(child.id)

    def lineage(self, item: Item) -> Iterator[Item]:
        """Yield the item, then its folders up to the root."""
        for _ in range(MAX_DEPTH):
            yield item
            if item.parent is None:
                return
            item = self.items[item.parent]
        raise RuntimeError(f"{item.id} is inside itself.")

    def root(self, item: Item) -> Item:
        """Return the root folder of the item's My Drive or shared drive."""
        *_, top = self.lineage(item)
        return top

    def shared_drive(self, item: Item) -> SharedDrive | None:
        """Return the shared drive of an item, or `None`."""
        return self.shared_drives.get(self.root(item).id)

    def is_trashed(self, item: Item) -> bool:
        """Return whether the item or a folder above it was trashed."""
        return any(each.is_explicitly_trashed for each in self.lineage(item))

    def viewers(self, item: Item) -> set[str]:
        """Return the users who may see an item."""
        found: set[str] = set()
        for each in self.lineage(item):
            found.update(each.readers)
            if each.owner is not None:
                found.add(each.owner)
            if each.parent is None and each.id in self.shared_drives:
                found.update(self.shared_drives[each.id].members)
        return found

    def is_visible(self, item: Item, user: str) -> bool:
        """Return whether a user may see an item."""
        for each in self.lineage(item):
            if each.owner == user or user in each.readers:
                return True
            if each.parent is None and each.id in self.shared_drives:
                return user in self.shared_drives[each.id].members
        return False

    def resource_key(self, item: Item) -> str | None:
        """Return the key that a user without a right of their own needs, `None` if none helps.

        Items in a folder that is shared by link have keys of their own.
        """
        if not any(each.is_shared_by_link for each in self.lineage(item)):
            return None
        digest = hashlib.blake2b(f"key:{item.id}".encode(), digest_size=12).digest()
        return f"0-{urlsafe_b64encode(digest).decode()}"

    def corpora(self, item: Item) -> set[Corpus]:
        """Return the logs that record an item's changes.

        These are the log of its shared drive, and those of users who see it without being members:
        a member reads the shared drive's log.
        """
        drive = self.shared_drive(item)
        if drive is None:
            return {("user", email) for email in self.viewers(item)}
        others = self.viewers(item) - drive.members.keys()
        return {("drive", drive.id), *(("user", email) for email in others)}

    def in_corpus(self, item: Item, corpus: Corpus) -> bool:
        """Return whether a log records the item's changes."""
        kind, key = corpus
        drive = self.shared_drive(item)
        if kind == "drive":
            return drive is not None and drive.id == key
        return self.is_visible(item, key) and (drive is None or key not in drive.members)
