"""Locations: relative paths encoded as text that the database can store, reversibly."""

from __future__ import annotations

import os
import re
from collections.abc import Container
from pathlib import Path

__all__ = ["beneath", "name_of", "parent_of", "path_of", "readable", "suffix_of", "to_location"]

# File names are bytes, and Postgres stores valid UTF-8 only. Invalid bytes are mapped to characters
# of the private use area; characters of that range that occur in a name are escaped as well.
_ESCAPE = 0xEF00
_UNSTORABLE = re.compile(r"[\ud800-\udfff\uef80-\uefff]+")
_ESCAPED = re.compile(r"[\uef80-\uefff]+")


def to_location(path: str) -> str:
    """Encode a relative path as returned by `os`; `path_of` decodes it."""
    return _UNSTORABLE.sub(_escape, path)


def path_of(folder: Path, location: str) -> Path:
    """Decode a location to a path in the watched folder."""
    return folder / _ESCAPED.sub(_unescape, location)


def readable(location: str) -> str:
    """Return a location, or a part of one, for display."""
    if location.isascii():
        return location
    path = _ESCAPED.sub(_unescape, location)
    return os.fsencode(path).decode("utf-8", "replace")


def name_of(location: str) -> str:
    """Return the last part of a location."""
    return location.rpartition("/")[2]


def suffix_of(location: str) -> str:
    """Return the suffix of a location's name with its dot, '' without one."""
    return os.path.splitext(name_of(location))[1]  # noqa: PTH122 - a location is no path


def parent_of(location: str) -> str:
    """Return the folder of a location, '' for the watched folder."""
    return location.rpartition("/")[0]


def beneath(location: str, folders: Container[str]) -> bool:
    """Check whether a location is in one of the folders, at any depth."""
    while location:
        location = parent_of(location)
        if location in folders:
            return True
    return False


def _escape(run: re.Match[str]) -> str:
    return "".join(chr(_ESCAPE + byte) for byte in os.fsencode(run[0]))


def _unescape(run: re.Match[str]) -> str:
    return os.fsdecode(bytes(ord(character) - _ESCAPE for character in run[0]))
