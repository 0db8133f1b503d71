"""What belongs to a watched folder: which files are ignored, and which links are followed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from raglive.sources.local_files.ignore_rules import IgnoreRules

__all__ = ["WatchScope"]


class WatchScope:
    """The watched folder, the patterns that it ignores, and the links that it follows.

    A link that leaves the folder is followed only if `follow_links` allows it. `is_private(path)`
    names the folders that hold secrets: nothing in them is read, by whatever way it is reached.
    """

    def __init__(
        self,
        folder: Path,
        ignore_patterns: Sequence[str] = (),
        *,
        follow_links: bool = False,
        is_private: Callable[[str], bool] = lambda _path: False,
    ) -> None:
        self.folder = folder.absolute()
        self.rules = IgnoreRules(ignore_patterns)
        self.is_private = is_private
        self._follow_links = follow_links

    def admits(self, path: str) -> bool:
        """Check whether a path may be read, wherever the links on the way lead."""
        return self.admits_target(os.path.realpath(path))

    def admits_target(self, target: str) -> bool:
        """Check whether a file may be read by its path without links."""
        root = str(self.folder)
        inside = _is_below(root, target)
        if not inside:
            root = os.path.realpath(root)
            inside = _is_below(root, target)
        if not inside and not self._follow_links:
            return False
        return not any(map(self.is_private, _way(target, root if inside else os.sep)))


def _is_below(root: str, target: str) -> bool:
    return target == root or target.startswith(root.rstrip(os.sep) + os.sep)


def _way(target: str, root: str) -> Iterator[str]:
    """The target and the folders above it, up to the root, which is not part of the way."""
    while target != root and target != (above := os.path.dirname(target)):  # noqa: PTH120 - called for each file
        yield target
        target = above
