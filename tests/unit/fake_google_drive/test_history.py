"""A listing, with the log read from its token, always yields the present state."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_google_drive.change_logs import LoggedChange
from fake_google_drive.drive import FakeDrive
from fake_google_drive.items import Item
from fake_google_drive.listing import FileSearch, Listings
from fake_google_drive.mime import FOLDER
from fake_google_drive.query import parse_query
from fake_google_drive.resources import ResourceViewer, change_resource, file_resource
from fake_google_drive.tree import Corpus

USERS = ["ann@example.com", "bob@example.com", "cy@example.com"]
SEEN: Any = dict.fromkeys(
    ["name", "mimeType", "parents", "trashed", "explicitlyTrashed", "md5Checksum", "driveId"]
)

number = st.integers(0, 40)
making = st.sampled_from(["create", "folder", "folder", "shortcut", "share", "share"])
changing = st.sampled_from(
    [
        *("create", "folder", "write", "rename", "move", "trash", "untrash", "delete"),
        *("share", "unshare", "join", "leave", "read", "tick"),
    ]
)


class World:
    """Three users and two shared drives, and a way to do anything in them."""

    def __init__(self, lag: int) -> None:
        self.drive = FakeDrive(lag=lag, now=lambda: 1_700_000_000)
        self.shared = [
            self.drive.shared_drive("Sales", USERS[:2]),
            self.drive.shared_drive("Support", USERS[1:]),
        ]
        self.roots = [*(self.drive.my_drive(user) for user in USERS), *self.shared]

    def do(self, name: str, first: int, second: int) -> None:
        # A folder moved into itself, a root renamed: Drive refuses, and nothing happens.
        with suppress(ValueError):
            self._do(name, first, second)

    def _do(self, name: str, first: int, second: int) -> None:
        drive, items = self.drive, list(self.drive.tree.items.values())
        folders = [each for each in items if each.is_folder]
        inner = [each for each in folders if each.parent is not None]
        deep = [each for each in items if each.parent not in {None, *(r.id for r in self.roots)}]
        folder, user = folders[second % len(folders)], USERS[second % len(USERS)]
        # What matters happens to folders, and to what lies deep within them.
        pool = deep if name in {"share", "unshare"} else inner if second % 2 else items
        item = (pool or items)[first % len(pool or items)]
        shared = self.shared[first % 2]
        elsewhere = folders[(first + second) % len(folders)]
        deeds: dict[str, Callable[[], object]] = {
            "create": partial(drive.create, f"{first}.txt", folder, str(first)),
            "folder": partial(drive.create_folder, f"folder {first}", folder),
            "shortcut": partial(drive.create_shortcut, item, folder),
            "write": partial(drive.write, item, str(second)),
            "rename": partial(drive.rename, item, f"{second}.md"),
            "move": partial(drive.move, item, elsewhere),
            "trash": partial(drive.trash, item),
            "untrash": partial(drive.untrash, item),
            "delete": partial(drive.delete, item),
            "share": partial(drive.share, item, user),
            "unshare": partial(drive.unshare, item, user),
            "join": partial(drive.add_member, shared, user),
            "leave": partial(drive.remove_member, shared, user),
            "tick": drive.tick,
        }
        deeds[name]()


class Reader:
    """Follows a corpus by a listing and its log alone."""

    def __init__(self, drive: FakeDrive, corpus: Corpus, user: str) -> None:
        self.drive = drive
        self.corpus = corpus
        self.viewer = ResourceViewer(drive.tree, user, "")
        self.listings = Listings(drive)
        self.log = drive.logs.of(corpus)
        self.token = self.log.head
        self.known = self.listing()

    def listing(self, query: str | None = None) -> dict[str, dict[str, Any]]:
        drive_id = self.corpus[1] if self.corpus[0] == "drive" else None
        search = FileSearch(
            self.viewer.user,
            None if query is None else parse_query(query),
            query or "",
            drive_id,
            include_shared_drives=True,
        )
        found: dict[str, dict[str, Any]] = {}
        token = None
        while True:
            page = self.listings.page(search, 3, token)
            found |= {item.id: self.state(item) for item in page.items if self.is_mine(item)}
            token = page.next
            if token is None:
                return found

    def is_mine(self, item: Item) -> bool:
        return self.drive.tree.in_corpus(item, self.corpus)

    def state(self, item: Item) -> dict[str, Any]:
        return file_resource(item, self.viewer, SEEN)

    def read(self, limit: int) -> None:
        page = self.log.page(self.token, limit)
        for change in page.changes:
            self.apply(change)
        self.token = page.next or page.head or self.token

    def apply(self, change: LoggedChange) -> None:
        if change.kind == "drive":
            return
        resource = change_resource(
            change, self.corpus, self.viewer, SEEN, include_corpus_removals=False
        )
        assert resource["removed"] == ("file" not in resource)
        if resource["removed"] and change.id not in self.known:
            # It may have come and gone, with what was known without a parent in it.
            for orphan in [id_ for id_, state in self.known.items() if "parents" not in state]:
                self.resolve_with_what_is_below(orphan)
        self.resolve_with_what_is_below(change.id)
        if "file" in resource and resource["file"]["mimeType"] == FOLDER:
            self.crawl(change.id)

    def below(self, folder_id: str) -> list[str]:
        """What the reader knows to be below a folder; the log does not record it."""
        found = [folder_id]
        for each in found:
            found += [
                child
                for child, state in self.known.items()
                if state.get("parents") == [each] and child not in found
            ]
        return found[1:]

    def resolve_with_what_is_below(self, file_id: str) -> None:
        was_folder = self.known.get(file_id, {}).get("mimeType") == FOLDER
        for below in self.below(file_id) if was_folder else []:
            self.resolve(below)
        self.resolve(file_id)

    def resolve(self, file_id: str) -> None:
        item = self.drive.tree.items.get(file_id)
        self.known.pop(file_id, None)
        if item is not None and self.is_mine(item):
            self.known[file_id] = self.state(item)

    def crawl(self, folder_id: str) -> None:
        found = self.listing(f"'{folder_id}' in parents")
        self.known |= found
        for child, state in found.items():
            if state["mimeType"] == FOLDER:
                self.crawl(child)


def corpora(world: World) -> list[tuple[Corpus, str]]:
    users: list[tuple[Corpus, str]] = [(("user", user), user) for user in USERS]
    # Bob is told apart from the drives' members: he may leave and no longer read their logs.
    return [*users, *((("drive", drive.id), "root@example.com") for drive in world.shared)]


@pytest.mark.parametrize("lag", [0, 3])
@settings(max_examples=200)
@given(
    before=st.lists(st.tuples(making, number, number), min_size=5, max_size=30),
    after=st.lists(st.tuples(changing, number, number), min_size=1, max_size=20),
)
def test_replaying_a_log_onto_a_listing_gives_what_is_there(
    lag: int, before: list[tuple[str, int, int]], after: list[tuple[str, int, int]]
) -> None:
    world = World(lag)
    for shared in world.shared:
        world.drive.add_member(shared, "root@example.com")
    for name, first, second in before:
        world.do(name, first, second)
    readers = [Reader(world.drive, corpus, user) for corpus, user in corpora(world)]
    for name, first, second in after:
        if name == "read":
            readers[first % len(readers)].read(1 + second % 5)
        else:
            world.do(name, first, second)
    world.drive.catch_up()
    for reader in readers:
        while reader.token != reader.log.head:
            reader.read(4)
        assert reader.known == reader.listing()
