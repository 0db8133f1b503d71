"""Where a file lies, as text that a database can hold and a path can be made from again."""

from __future__ import annotations

import os
import re
from collections.abc import Container
from pathlib import Path

__all__ = ["beneath", "name_of", "parent_of", "path_of", "readable", "to_location"]

# A name is bytes. Those that are not UTF-8 become characters of the private use area, which is how
# names hold them that Postgres must store; such characters, where they are meant, are escaped too.
_ESCAPE = 0xEF00
_UNSTORABLE = re.compile(r"[\ud800-\udfff\uef80-\uefff]+")
_ESCAPED = re.compile(r"[\uef80-\uefff]+")


def to_location(path: str) -> str:
    """Return the location of a relative path as `os` gives it; `path_of` is the way back."""
    return _UNSTORABLE.sub(_escape, path)


def path_of(folder: Path, location: str) -> Path:
    """Return the path of a location below the watched folder."""
    return folder / _ESCAPED.sub(_unescape, location)


def readable(location: str) -> str:
    """Return a location, or a part of one, as people may see it."""
    if location.isascii():
        return location
    path = _ESCAPED.sub(_unescape, location)
    return os.fsencode(path).decode("utf-8", "replace")


def name_of(location: str) -> str:
    """Return the last part of a location."""
    return location.rpartition("/")[2]


def parent_of(location: str) -> str:
    """Return the folder of a location, '' for the watched folder itself."""
    return location.rpartition("/")[0]


def beneath(location: str, folders: Container[str]) -> bool:
    """Say whether a location lies in one of the folders, at any depth."""
    while location:
        location = parent_of(location)
        if location in folders:
            return True
    return False


def _escape(run: re.Match[str]) -> str:
    return "".join(chr(_ESCAPE + byte) for byte in os.fsencode(run[0]))


def _unescape(run: re.Match[str]) -> str:
    return os.fsdecode(bytes(ord(character) - _ESCAPE for character in run[0]))
