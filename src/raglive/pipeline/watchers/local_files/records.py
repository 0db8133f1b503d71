"""What a difference means for the registry: rows, in transactions of bounded size."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from uuid6 import uuid7

from raglive.database.registry import KnownFile, Observed, Reconciliation
from raglive.pipeline.watchers.local_files.location import name_of, parent_of, path_of, readable
from raglive.pipeline.watchers.local_files.reconcile import Difference, Pair
from raglive.pipeline.watchers.local_files.scan import Seen

__all__ = ["as_known", "portions"]

ROWS = 500
LONGEST_URL = 8192

Row = TypeVar("Row")


def portions(difference: Difference, folder: Path) -> Iterator[Reconciliation]:
    """Yield what to write to the registry, a transaction each.

    Moves come first, so that a file is found before its old place is taken.
    """
    moved = difference.moved + difference.carried
    changed = difference.changed + difference.carried
    new, gone = difference.new, difference.gone

    def observe(pairs: Sequence[Pair]) -> list[tuple[KnownFile, Observed]]:
        return [(known, _observe(seen, folder, known.file_id)) for known, seen in pairs]

    def observe_new(some: Sequence[Seen]) -> list[Observed]:
        return [_observe(seen, folder) for seen in some]

    if len(moved) + len(changed) + len(new) + len(gone) <= ROWS:
        yield Reconciliation(observe_new(new), observe(changed), observe(moved), gone)
        return
    yield from (Reconciliation(moved=observe(some)) for some in _slices(moved))
    yield from (Reconciliation(gone=some) for some in _slices(gone))
    yield from (Reconciliation(changed=observe(some)) for some in _slices(changed))
    yield from (Reconciliation(new=observe_new(some)) for some in _slices(new))


def as_known(file: KnownFile, seen: Observed) -> KnownFile:
    """Return the file as the registry has it once it says what was seen."""
    return replace(
        file,
        location=seen.location,
        name=seen.name,
        folder=seen.folder,
        size_bytes=seen.size_bytes,
        source=seen.source,
    )


def _observe(seen: Seen, folder: Path, file_id: str | None = None) -> Observed:
    name = readable(name_of(seen.location))
    url = path_of(folder, seen.location).as_uri()
    return Observed(
        file_id=file_id or str(uuid7()),
        location=seen.location,
        name=name,
        folder=readable(parent_of(seen.location)),
        url=url if len(url) <= LONGEST_URL else None,
        mime_type=mimetypes.guess_type(name)[0],
        size_bytes=seen.version.size,
        source=seen.version.source(),
    )


def _slices(rows: Sequence[Row]) -> Iterator[list[Row]]:
    for first in range(0, len(rows), ROWS):
        yield list(rows[first : first + ROWS])
