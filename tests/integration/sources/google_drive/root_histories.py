"""Random histories in which watched folders and shared drives appear, disappear and move."""

from __future__ import annotations

from typing import Any

from fake_google_drive.items import Item
from tests.integration.sources.google_drive.drives import USER
from tests.integration.sources.google_drive.histories import OTHER, STEPS, History

__all__ = ["RootHistory"]


class RootHistory(History):
    """A history with steps between the pipeline's requests, and with changing watched folders.

    It adds a shared drive that is not watched, and one that the account is not a member of. A
    folder of the latter, or all of My Drive, may be watched.
    """

    steps = STEPS | {
        "leave": 1,
        "join": 2,
        "change_root": 1,
        "change_settings": 1,
    }

    def _extend(self) -> None:
        drive, choice = self.drive, self.random.choice
        near = drive.shared_drive("Near", [USER, OTHER])
        far = drive.shared_drive("Far", [OTHER])
        theirs = drive.create_folder("theirs", far)
        drive.share(theirs, USER)
        self._drives = [drive.tree.root(self.ours), near, far]
        self._places += [near, far, theirs]
        self._watchable = [self.mine, self.ours, theirs, drive.my_drive(USER)]
        self._protected = {item.id for item in choice((self._watchable, self.roots, []))}
        self.page_size = choice((1, 2, 5, 1000))
        self.interference_rate = choice((0, 0, 0.02, 0.2))
        self._change_settings()

    def interfere(self) -> None:
        """Do a step while a request is in flight, with the probability `interference_rate`."""
        if self.random.random() < self.interference_rate:
            self.step()

    def _leave(self) -> None:
        self.drive.remove_member(self.random.choice(self._drives), USER)

    def _join(self) -> None:
        self.drive.add_member(self.random.choice(self._drives), USER)

    def _change_root(self) -> None:
        """Move, trash, restore, share or unshare a watched folder."""
        root = self.random.choice(self.roots)
        action = self.random.choice(("move", "trash", "restore", "unshare", "share"))
        if action == "move":
            self.drive.move(root, self._some_folder())
        elif action == "trash":
            self.drive.trash(root)
        elif action == "restore":
            self.drive.untrash(root)
        elif action == "unshare":
            self.drive.unshare(root, USER)
        else:
            self.drive.share(root, USER)

    def _change_settings(self) -> None:
        """Choose the folders that the settings name from the next start on."""
        count = self.random.randrange(1, 4)
        self.wanted: list[Item] = self.random.sample(self._watchable, count)

    def watcher_options(self) -> dict[str, Any]:
        """Apply the settings; full listings run at every check, or only at the first."""
        self.roots = self.wanted
        return {"full_listing_seconds": self.random.choice((0, 3600, 3600))}
