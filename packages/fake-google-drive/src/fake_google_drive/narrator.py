"""Which logs tell of what: the rules of Google's change logs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fake_google_drive.items import Item, SharedDrive
from fake_google_drive.logs import Logs
from fake_google_drive.tree import Corpus, Tree

__all__ = ["Narrator"]


class Narrator:
    """Notes changes in every log that they belong to."""

    def __init__(self, tree: Tree, logs: Logs) -> None:
        self._tree = tree
        self._logs = logs

    def changed(self, item: Item) -> None:
        """Tell of an item that stays where it is and is seen by whom it was."""
        item.version += 1
        self._note(item, self._corpora(item))

    @contextmanager
    def changing(self, item: Item) -> Iterator[None]:
        """Tell of an item that is moved, trashed, shared or deleted within.

        Of a folder's contents nothing is told, except to those who see them but not the folder,
        for it is they that change in such a log.
        """
        apart = list(self._tree.shared_below(item))
        before = [self._corpora(each) for each in (item, *apart)]
        yield
        item.version += 1
        after = [self._corpora(each) for each in (item, *apart)]
        told = before[0] | after[0]
        self._note(item, told)
        for each, old, new in zip(apart, before[1:], after[1:], strict=True):
            self._note(each, (old | new) - told)

    def member_changed(self, drive: SharedDrive, user: str) -> None:
        """Tell a user of a shared drive; of its items, only those shared with the user apart."""
        self._logs.note(("user", user), "drive", drive.id)
        for item in self._tree.shared_below(self._tree.items[drive.id]):
            if user in item.readers:
                self._logs.note(("user", user), "file", item.id)

    def drive_changed(self, drive: SharedDrive) -> None:
        """Tell of a shared drive's own properties."""
        for member in drive.members:
            self._logs.note(("user", member), "drive", drive.id)
        self._logs.note(("drive", drive.id), "drive", drive.id)

    def _corpora(self, item: Item) -> set[Corpus]:
        return self._tree.corpora(item) if item.id in self._tree.items else set()

    def _note(self, item: Item, corpora: set[Corpus]) -> None:
        for corpus in sorted(corpora):
            self._logs.note(corpus, "file", item.id)
