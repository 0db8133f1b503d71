"""Searches of `files.list`: matching items, in order, page by page."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fake_google_drive.drive import FakeDrive
from fake_google_drive.items import Item
from fake_google_drive.query import Query, View

__all__ = ["FileListPage", "FileSearch", "Listings", "OrderError", "PageTokenUnknown"]

MAX_LISTINGS = 100
MAX_CANDIDATES = 1_000_000


class OrderError(ValueError):
    """The sort key does not exist."""


class PageTokenUnknown(Exception):
    """The page token is unknown, of another search, or too old."""


@dataclass(frozen=True, slots=True)
class FileSearch:
    """A search; `drive_id` restricts it to one shared drive.

    `opened` are the queried folders that the user sees by their resource keys.
    """

    user: str
    query: Query | None
    query_text: str = ""
    drive_id: str | None = None
    include_shared_drives: bool = False
    order_by: str = ""
    opened: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FileListPage:
    """Matching items, and the token of the next page."""

    items: list[Item]
    next: str | None


@dataclass(slots=True)
class _Listing:
    search: tuple[object, ...]
    candidates: list[Item]


class Listings:
    """Open searches; each page continues where the last ended, whatever has changed since."""

    def __init__(self, drive: FakeDrive) -> None:
        self._drive = drive
        self._open: OrderedDict[str, _Listing] = OrderedDict()

    def page(self, search: FileSearch, limit: int, token: str | None) -> FileListPage:
        """Return a page of matching items. Raises `OrderError` and `PageTokenUnknown`."""
        name, at = self._place(search, token)
        candidates = self._open[name].candidates
        found: list[Item] = []
        while at < len(candidates) and len(found) < limit:
            if self._matches(candidates[at], search):
                found.append(candidates[at])
            at += 1
        if at == len(candidates):
            if not token:
                del self._open[name]
            return FileListPage(found, None)
        return FileListPage(found, f"~!!~{name}.{at}")

    def forget(self) -> None:
        """Make all page tokens issued so far invalid."""
        self._open.clear()

    def _place(self, search: FileSearch, token: str | None) -> tuple[str, int]:
        key = (search.user, search.query_text, search.drive_id, search.include_shared_drives)
        if not token:
            name = self._drive.ids.opaque()
            self._open[name] = _Listing(key, self._candidates(search))
            self._close_oldest()
            return name, 0
        name, _, at = token.removeprefix("~!!~").rpartition(".")
        if name not in self._open or self._open[name].search != key or not at.isdecimal():
            raise PageTokenUnknown
        self._open.move_to_end(name)
        return name, int(at)

    def _close_oldest(self) -> None:
        held = sum(len(listing.candidates) for listing in self._open.values())
        while len(self._open) > 1 and (held > MAX_CANDIDATES or len(self._open) > MAX_LISTINGS):
            _, oldest = self._open.popitem(last=False)
            held -= len(oldest.candidates)

    def _candidates(self, search: FileSearch) -> list[Item]:
        tree = self._drive.tree
        folders = search.query.folders() if search.query else None
        if folders is None:
            found = [item for item in tree.items.values() if item.parent is not None]
        else:
            root = tree.my_drives[search.user].id
            wanted = sorted({root if each == "root" else each for each in folders})
            found = [item for folder in wanted for item in tree.children(folder)]
        if not search.order_by:
            return found
        return _sorted((item for item in found if self._matches(item, search)), search.order_by)

    def _matches(self, item: Item, search: FileSearch) -> bool:
        tree, user = self._drive.tree, search.user
        if tree.items.get(item.id) is not item:
            return False
        if not tree.is_visible(item, user) and item.parent not in search.opened:
            return False
        drive = tree.shared_drive(item)
        if search.drive_id is not None:
            if drive is None or drive.id != search.drive_id:
                return False
        elif drive is not None and not search.include_shared_drives:
            return False
        return search.query is None or search.query.matches(item, View(tree, user))


def _sorted(items: Iterable[Item], order_by: str) -> list[Item]:
    found = list(items)
    for key, is_descending in reversed(list(_sort_keys(order_by))):
        found.sort(key=key, reverse=is_descending)
    return found


def _sort_keys(order_by: str) -> Iterator[tuple[Callable[[Item], Any], bool]]:
    for part in order_by.split(","):
        name, _, direction = part.strip().partition(" ")
        if name not in _KEYS or direction.strip() not in {"", "desc"}:
            raise OrderError(part)
        yield _KEYS[name], bool(direction)


def _natural(item: Item) -> list[tuple[int, str]]:
    parts = re.findall(r"\d+|\D+", item.name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


_KEYS: dict[str, Callable[[Item], Any]] = {
    "createdTime": lambda item: item.created,
    "folder": lambda item: not item.is_folder,
    "modifiedByMeTime": lambda item: item.modified,
    "modifiedTime": lambda item: item.modified,
    "name": lambda item: item.name.lower(),
    "name_natural": _natural,
    "quotaBytesUsed": lambda item: 0 if item.content is None else item.content.size,
    "recency": lambda item: max(item.created, item.modified),
    "sharedWithMeTime": lambda item: max(item.readers.values(), default=0),
    "starred": lambda _: False,
    "viewedByMeTime": lambda _: 0,
}
