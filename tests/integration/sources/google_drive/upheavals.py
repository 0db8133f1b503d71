"""Histories in which the watched folders and the shared drives themselves come, go and move."""

from __future__ import annotations

from typing import Any

from fake_google_drive.items import Item
from tests.integration.sources.google_drive.drives import USER
from tests.integration.sources.google_drive.histories import OTHER, STEPS, History

__all__ = ["Upheaval"]


class Upheaval(History):
    """What people do, step by step, also while the pipeline is reading.

    There is a shared drive that is not watched, and one that the account is no member of; a folder
    in that one may be watched, or all of My Drive.
    """

    steps = STEPS | {
        "leave": 1,
        "join": 2,
        "lift_root": 1,
        "watch_others": 1,
    }

    def _enlarge(self) -> None:
        drive, choice = self.drive, self.random.choice
        near = drive.shared_drive("Near", [USER, OTHER])
        far = drive.shared_drive("Far", [OTHER])
        theirs = drive.create_folder("theirs", far)
        drive.share(theirs, USER)
        self._drives = [drive.tree.root(self.ours), near, far]
        self._grounds += [near, far, theirs]
        self._watchable = [self.mine, self.ours, theirs, drive.my_drive(USER)]
        self._protected = {item.id for item in choice((self._watchable, self.roots, []))}
        self.page_size = choice((1, 2, 5, 1000))
        self.restlessness = choice((0, 0, 0.02, 0.2))
        self._watch_others()

    def interfere(self) -> None:
        """Do something while a request is on its way, now and then."""
        if self.random.random() < self.restlessness:
            self.step()

    def _leave(self) -> None:
        self.drive.remove_member(self.random.choice(self._drives), USER)

    def _join(self) -> None:
        self.drive.add_member(self.random.choice(self._drives), USER)

    def _lift_root(self) -> None:
        """Move a watched folder, perhaps into another or another drive; or away and back."""
        root = self.random.choice(self.roots)
        deed = self.random.choice(("move", "trash", "restore", "unshare", "share"))
        if deed == "move":
            self.drive.move(root, self._some_folder())
        elif deed == "trash":
            self.drive.trash(root)
        elif deed == "restore":
            self.drive.untrash(root)
        elif deed == "unshare":
            self.drive.unshare(root, USER)
        else:
            self.drive.share(root, USER)

    def _watch_others(self) -> None:
        """Settings name other folders from the next start on."""
        count = self.random.randrange(1, 4)
        self.wanted: list[Item] = self.random.sample(self._watchable, count)

    def restart(self) -> dict[str, Any]:
        """Take up the settings; list everything at each check, or at the first alone."""
        self.roots = self.wanted
        return {"full_listing_seconds": self.random.choice((0, 3600, 3600))}
