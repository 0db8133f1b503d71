"""The rows of a Google Drive pipeline, and the base class of its tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg

from raglive.store.registry.files import GoneReason, KnownFile
from raglive.store.registry.pipelines import PipelineRecord

__all__ = [
    "Folder",
    "KnownItems",
    "PipelineTable",
    "RelocatedFiles",
    "Removals",
    "Shortcut",
    "affected_rows",
]


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder in scope; `log` is the shared drive whose change log covers it, or empty."""

    folder_id: str
    parent_id: str | None
    name: str
    path: str
    log: str = ""
    is_root: bool = False
    state: str = "pending"


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A shortcut in a folder in scope; `log` is that of the folder."""

    shortcut_id: str
    parent_id: str
    target_id: str
    log: str = ""


@dataclass(frozen=True, slots=True)
class KnownItems:
    """What the registry holds of some items: the items, and all folders above them by id."""

    files: Mapping[str, KnownFile]
    folders: Mapping[str, Folder]
    shortcuts: Mapping[str, Shortcut]
    targets: Collection[str]


@dataclass(frozen=True, slots=True)
class RelocatedFiles:
    """How many files got another folder path, and the first of them.

    Columns: `file_id, name, path, previous_folder`.
    """

    count: int = 0
    first: Sequence[asyncpg.Record] = ()


@dataclass(slots=True)
class Removals:
    """What leaves the index: files by key, the content of folders by id, and shortcut targets."""

    files: dict[int, GoneReason] = field(default_factory=dict)
    folders: dict[str, GoneReason] = field(default_factory=dict)
    targets: list[str] = field(default_factory=list)  # of shortcuts that were removed

    def __bool__(self) -> bool:
        return bool(self.files or self.folders or self.targets)


class PipelineTable:
    """The rows of one pipeline in some tables; writes run in the caller's transaction."""

    def __init__(self, record: PipelineRecord) -> None:
        self._record = record
        self._key = record.key


def affected_rows(command_tag: str) -> int:
    """Return the number of rows in a command tag such as `UPDATE 3`."""
    return int(command_tag.rpartition(" ")[2])
