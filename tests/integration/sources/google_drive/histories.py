"""Random histories of two watched folders, one in a shared drive, and injected crashes.

`root_histories.py` also changes the watched folders and the shared drives themselves.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx

from fake_google_drive.drive import FakeDrive
from fake_google_drive.items import Item
from fake_google_drive.mime import DOCUMENT, FOLDER
from fake_google_drive.server import FakeDriveServer
from raglive.sources.google_drive.client import DriveClient
from raglive.store.pool import Connection, Database
from tests.integration.sources.google_drive.drives import USER

OTHER = "bob@example.com"
STEPS = {
    "create": 4,
    "native": 1,
    "edit": 1,
    "touch": 1,
    "rename": 1,
    "new_folder": 3,
    "move": 5,
    "trash": 2,
    "restore": 2,
    "delete": 1,
    "share": 1,
    "unshare": 1,
    "shortcut": 1,
    "foreign_file": 1,
}


class Crash(Exception):
    """Ends the pipeline's process, in the test's simulation."""


class CrashPoint:
    """Raises `Crash` at the nth request or transaction, before or after the commit."""

    def __init__(self) -> None:
        self.remaining: int | None = None
        self.on_request: Callable[[], None] = lambda: None

    def count(self) -> None:
        if self.remaining is None:
            return
        self.remaining -= 1
        if self.remaining < 0:
            raise Crash

    async def _take(self, _request: httpx.Request) -> None:
        self.on_request()
        self.count()

    def attach(self, client: DriveClient) -> None:
        client.transport.http.event_hooks = {"request": [self._take], "response": []}


class CrashingDatabase:
    """A database that counts each transaction at the crash point, before and after its commit."""

    def __init__(self, database: Database, crash_point: CrashPoint) -> None:
        self._database = database
        self._crash_point = crash_point

    def __getattr__(self, name: str) -> object:
        return getattr(self._database, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with self._database.transaction() as connection:
            yield connection
            self._crash_point.count()
        self._crash_point.count()


class History:
    """Random actions of users in a drive, one per step."""

    steps = STEPS
    page_size = 1000
    expected_errors = frozenset(
        {"watch_location_unavailable", "drive_forbidden", "drive_not_found"}
    )

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.drive = FakeDrive(lag=self.random.choice((0, 0, 1, 3, 8)), seed=str(seed))
        drive = self.drive
        self.mine = drive.create_folder("mine", drive.my_drive(USER))
        shared = drive.shared_drive("Shared", [USER, OTHER])
        self.ours = drive.create_folder("ours", shared)
        self.roots = [self.mine, self.ours]
        outside = drive.create_folder("outside", drive.my_drive(USER))
        his = drive.create_folder("his", drive.my_drive(OTHER))
        self._places = [drive.my_drive(USER), shared, outside]
        self._protected = {self.mine.id, self.ours.id}
        self._his = his
        self._count = 0
        self.steps_done = 0
        self._extend()
        for _ in range(self.random.randrange(12)):
            self.step()

    def watcher_options(self) -> dict[str, Any]:
        """Return the options of the watcher of `roots` for its next start."""
        return {}

    def interfere(self) -> None:
        """Called while a request is in flight; may do a step."""

    def inject_faults(self, server: FakeDriveServer) -> None:
        """Called before a check; may make requests fail."""

    def approves(self) -> bool:
        """Return whether an operator approves held deletions after a check."""
        return False

    def _extend(self) -> None:
        """Add items before the first step."""

    def step(self) -> None:
        """Do a random action; one that Drive refuses has no effect."""
        self.steps_done += 1
        name = self.random.choice(
            [name for name, weight in self.steps.items() for _ in range(weight)]
        )
        with suppress(LookupError, ValueError):
            getattr(self, f"_{name}")()

    def expected(self) -> dict[str, tuple[str, str]]:
        """Return folder and name by id of every file that should be in the index."""
        found: dict[str, tuple[str, str]] = {}
        for root in filter(self._is_readable, self.roots):
            for item in self.drive.files_under(root, USER):
                for file in self._indexable(item):
                    found[file.id] = (self._folder(file), file.name)
        return found

    def _indexable(self, item: Item) -> Iterator[Item]:
        tree = self.drive.tree
        if item.is_folder:
            return
        if not item.is_shortcut or item.target_mime_type == FOLDER:
            yield item
            return
        target = tree.items.get(item.target_id or "")
        if target is None or target.is_shortcut:
            return
        is_readable = tree.is_visible(target, USER) or tree.resource_key(target)
        if is_readable and not tree.is_trashed(target):
            yield target

    def _folder(self, file: Item) -> str:
        """Return the path from the nearest readable watched folder."""
        names: list[str] = []
        for above in list(self.drive.tree.lineage(file))[1:]:
            names.insert(0, above.name)
            if above in self.roots and self._is_readable(above):
                return "/".join(names if len(self.roots) > 1 else names[1:])
        return ""

    def _is_readable(self, root: Item) -> bool:
        tree = self.drive.tree
        exists = tree.items.get(root.id) is root
        return exists and tree.is_visible(root, USER) and not tree.is_trashed(root)

    # Steps

    def _create(self) -> None:
        self._count += 1
        self.drive.create(f"f{self._count}.txt", self._some_folder(), f"text {self._count}")

    def _native(self) -> None:
        self._count += 1
        exports = {"text/markdown": f"text {self._count}"}
        self.drive.create_native(f"doc{self._count}", self._some_folder(), DOCUMENT, exports)

    def _new_folder(self) -> None:
        self._count += 1
        self.drive.create_folder(f"d{self._count}", self._some_folder())

    def _foreign_file(self) -> None:
        """Create a file of another user, visible through a shortcut while it is shared."""
        self._count += 1
        file = self.drive.create(f"his{self._count}.txt", self._his, f"his {self._count}")
        self.drive.share(file, USER)
        self.drive.create_shortcut(file, self._some_folder())

    def _linked_file(self) -> None:
        """Create a file of another user that is shared by link, and a shortcut to it."""
        self._count += 1
        file = self.drive.create(f"link{self._count}.txt", self._his, f"link {self._count}")
        self.drive.share_by_link(file)
        self.drive.create_shortcut(file, self._some_folder())

    def _unlink(self) -> None:
        self.drive.unshare_by_link(self._some(lambda item: item.is_shared_by_link))

    def _edit(self) -> None:
        item = self._some(lambda item: item.content is not None)
        self._count += 1
        self.drive.write(item, f"text {self._count}")

    def _touch(self) -> None:
        self.drive.touch(self._some(lambda _: True))

    def _rename(self) -> None:
        self._count += 1
        item = self._some(lambda _: True)
        self.drive.rename(item, f"{item.name.split('~')[0]}~{self._count}")

    def _move(self) -> None:
        self.drive.move(self._some(self._is_free), self._some_folder())

    def _trash(self) -> None:
        self.drive.trash(self._some(self._is_free))

    def _restore(self) -> None:
        self.drive.untrash(self._some(lambda item: item.is_explicitly_trashed))

    def _delete(self) -> None:
        self.drive.delete(self._some(self._is_free))

    def _shortcut(self) -> None:
        target = self._some(lambda item: not item.is_shortcut)
        self.drive.create_shortcut(target, self._some_folder())

    def _share(self) -> None:
        self.drive.share(self._some(lambda item: item.owner == OTHER), USER)

    def _unshare(self) -> None:
        self.drive.unshare(self._some(lambda item: USER in item.readers), USER)

    # Random choices

    def _is_free(self, item: Item) -> bool:
        return item.id not in self._protected and item is not self._his

    def _some(self, wanted: object) -> Item:
        tree = self.drive.tree
        assert callable(wanted)
        found = [item for item in tree.items.values() if item.parent is not None and wanted(item)]
        return self.random.choice(found)

    def _some_folder(self) -> Item:
        places = [*self._places, *self.roots, *self.roots, self._his]
        folders = [
            item
            for item in self.drive.tree.items.values()
            if item.is_folder and item.parent is not None
        ]
        return self.random.choice([*places, *folders])
