"""Items of a Drive: files, folders, shortcuts and roots."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

from fake_google_drive.content import Content
from fake_google_drive.mime import FOLDER, SHORTCUT, is_native

__all__ = ["Ids", "Item", "SharedDrive"]


@dataclass(slots=True, eq=False)
class Item:
    """A file, folder or shortcut; only the methods of `FakeDrive` may change it."""

    id: str
    name: str
    mime_type: str
    parent: str | None
    owner: str | None
    created: int
    modified: int
    content: Content | None = None
    exports: Mapping[str, Content] | None = None
    target_id: str | None = None
    target_mime_type: str | None = None
    version: int = 1
    revision: int = 1
    is_explicitly_trashed: bool = False
    trashed: int | None = None
    can_download: bool = True
    is_abusive: bool = False
    is_shared_by_link: bool = False
    readers: dict[str, int] = field(default_factory=dict)

    @property
    def is_folder(self) -> bool:
        """Whether the item can contain others."""
        return self.mime_type == FOLDER

    @property
    def is_shortcut(self) -> bool:
        """Whether the item refers to another one."""
        return self.mime_type == SHORTCUT

    @property
    def is_native(self) -> bool:
        """Whether the content must be exported: it is in a format of Google."""
        return is_native(self.mime_type)


@dataclass(slots=True, eq=False)
class SharedDrive:
    """A shared drive; its root folder has the same id."""

    id: str
    name: str
    created: int
    members: dict[str, None]


class Ids:
    """Generates ids in Drive's format, reproducibly for a seed."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._count = 0

    def file(self) -> str:
        """Return the id of a file or a folder, 33 characters."""
        return "1" + self._next(24)

    def root(self) -> str:
        """Return the id of My Drive or of a shared drive, 19 characters."""
        return f"0A{self._next(12)[:14]}PVA"

    def opaque(self) -> str:
        """Return an id for anything else."""
        return self._next(18)

    def _next(self, size: int) -> str:
        self._count += 1
        text = f"{self._seed}:{self._count}".encode()
        return urlsafe_b64encode(hashlib.blake2b(text, digest_size=size).digest()).decode()
