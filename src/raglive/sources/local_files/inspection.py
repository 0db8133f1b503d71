"""One look at the folder, or at places in it: what may be written down now, and what must wait."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from raglive.sources.local_files.hints import HintSource
from raglive.sources.local_files.ignore import IgnoreRules
from raglive.sources.local_files.known import KnownFiles
from raglive.sources.local_files.reconcile import Difference, Pair, reconcile
from raglive.sources.local_files.root import (
    FolderUnavailable,
    RootIdentity,
    WatchState,
    identify,
    is_same_root,
    on_absent_volume,
)
from raglive.sources.local_files.scan import Scan, Scanner, Seen
from raglive.sources.local_files.settle import Moment, Settling
from raglive.store.registry.files import KnownFile

__all__ = ["Findings", "Inspection"]

# Editors take a file away for a moment when they save it; a move ends in a place heard of later.
MISSING_SECONDS = 0.5


@dataclass(slots=True)
class Findings:
    """What an inspection found."""

    difference: Difference
    root: RootIdentity
    files: int
    held: list[KnownFile] = field(default_factory=list)
    unseen: dict[str, str] = field(default_factory=dict)
    too_long: set[str] = field(default_factory=set)
    met_link: bool = False


class Inspection:
    """Looks at the folder and remembers what is not certain yet. For one thread at a time."""

    def __init__(
        self, folder: Path, rules: IgnoreRules, hints: HintSource | None, known: KnownFiles
    ) -> None:
        self.known = known
        self._folder = folder
        self._hints = hints
        watch = hints.watch_folder if hints is not None else _watch_nothing
        self.scanner = Scanner(folder, rules, watch)
        self._settling = Settling()
        self._missing: dict[int, float] = {}  # by file: since when
        self._carried: dict[int, str] = {}  # by file: the place it may have come to, not at rest
        self._held: set[int] = set()
        self._renumbered: dict[int, int] = {}

    @property
    def is_certain(self) -> bool:
        """Say whether no file is missing that was not deleted."""
        return not any(self.known.get(key) for key in self._missing)

    def of_everything(self, hinted: Mapping[str, bool | None], state: WatchState) -> Findings:
        """Scan the whole folder; raise `FolderUnavailable` when it cannot be read."""
        root = identify(self._folder)
        try:
            scan = self.scanner.everything()
        except OSError as error:
            identify(self._folder)
            raise FolderUnavailable(f"{self._folder} cannot be read: {error.strerror}.") from error
        self._confirm(root, scan)
        if self._hints is not None:
            self._hints.end_scan(scan.folders)
        known = [file for file in self.known if not scan.hides(file.location)]
        difference = reconcile(known, scan.files.values())
        self._renumbered = difference.renumbered
        return self._conclude(root, scan, difference, hinted, state)

    def of_places(self, hinted: Mapping[str, bool | None], state: WatchState) -> Findings:
        """Look at the places hinted at, and at those whose time has come."""
        root = identify(self._folder)
        scan = self.scanner.look({*hinted, *self._settling.due(time.monotonic()), *self._lost()})
        known = self.known.within(scan.looked_at)
        elsewhere = self._possible_origins(scan, {file.file_key for file in known})
        if elsewhere:
            scan.add(self.scanner.look(elsewhere))
            known = self.known.within(scan.looked_at)
        self._confirm(root, scan)
        known = [file for file in known if not scan.hides(file.location)]
        difference = reconcile(known, scan.files.values())
        return self._conclude(root, scan, difference, hinted, state)

    def next_due(self) -> float | None:
        """Return when to look again at what was not certain, by the steady clock."""
        awaited = [key for key in self._missing.keys() - self._held if self.known.get(key)]
        waiting = [self._missing[key] for key in awaited]
        missing = min(waiting) + MISSING_SECONDS if waiting else None
        dues = [due for due in (self._settling.next_due(), missing) if due is not None]
        return min(dues, default=None)

    def _conclude(
        self,
        root: RootIdentity,
        scan: Scan,
        difference: Difference,
        hinted: Mapping[str, bool | None],
        state: WatchState,
    ) -> Findings:
        now = Moment(time.monotonic(), time.time_ns())
        self._postpone_unsettled(difference, scan, hinted, now)
        self._postpone_missing(difference, scan, now.steady)
        held = [] if state.deletions_approved else self._hold(difference, root, state)
        return Findings(
            difference,
            root,
            files=len(scan.files),
            held=held,
            unseen=scan.unseen,
            too_long=scan.too_long,
            met_link=scan.met_link,
        )

    def _confirm(self, root: RootIdentity, scan: Scan) -> None:
        """What was read counts only if it was all read in one and the same folder."""
        if identify(self._folder) != root:
            raise FolderUnavailable(f"{self._folder} was replaced while it was read.")
        if "" in scan.unseen:
            raise FolderUnavailable(f"{self._folder} cannot be read: {scan.unseen['']}.")

    def _lost(self) -> set[str]:
        """Return where files are missing, and where they may have gone."""
        lost = [self.known.get(key) for key in self._missing.keys() - self._held]
        places = {file.location for file in lost if file is not None}
        return places | set(self._carried.values()) if places else places

    def _possible_origins(self, scan: Scan, in_scope: set[int]) -> set[str]:
        """Return where files lay, outside of what was looked at, that may have come into it."""
        return {
            file.location
            for seen in scan.files.values()
            for file in self.known.alike(seen.version)
            if file.file_key not in in_scope
        }

    def _postpone_unsettled(
        self,
        difference: Difference,
        scan: Scan,
        hinted: Mapping[str, bool | None],
        now: Moment,
    ) -> None:
        waiting: set[str] = set()

        def settled(seen: Seen) -> bool:
            if self._settling.is_settled(seen, hinted.get(seen.location), now):
                return True
            waiting.add(seen.location)
            return False

        def settled_pairs(pairs: list[Pair]) -> list[Pair]:
            return [pair for pair in pairs if settled(pair[1])]

        difference.new = [seen for seen in difference.new if settled(seen)]
        difference.changed = settled_pairs(difference.changed)
        carried = difference.carried
        difference.carried = settled_pairs(carried)
        self._carried = {
            file.file_key: seen.location for file, seen in carried if seen.location in waiting
        }
        self._settling.keep(lambda place: place in waiting or not scan.covers(place))

    def _postpone_missing(self, difference: Difference, scan: Scan, now: float) -> None:
        taken = {seen.location for _, seen in difference.moved}
        missing = {
            key: since for key, since in self._missing.items() if self._lies_outside(key, scan)
        }
        missing |= dict.fromkeys(self._carried, now)
        confirmed = []
        for file in difference.gone:
            since = self._missing.get(file.file_key, now)
            if file.location in taken or now - since >= MISSING_SECONDS:
                confirmed.append(file)
            missing[file.file_key] = since
        difference.gone = confirmed
        self._missing = missing
        self._held &= missing.keys()

    def _lies_outside(self, file_key: int, scan: Scan) -> bool:
        file = self.known.get(file_key)
        return file is not None and not scan.covers(file.location)

    def _hold(
        self, difference: Difference, root: RootIdentity, state: WatchState
    ) -> list[KnownFile]:
        """Keep from deletion what is missing because its file system or folder is."""
        if not difference.gone:
            return []
        if is_same_root(state.root, root, self._renumbered):
            held = on_absent_volume(self._folder, difference.gone, self._renumbered)
        else:
            held = difference.gone
        keys = {file.file_key for file in held}
        self._held |= keys
        difference.gone = [file for file in difference.gone if file.file_key not in keys]
        return held


def _watch_nothing(_path: str, _location: str) -> None:
    """For a single check."""
