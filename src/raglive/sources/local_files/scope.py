"""What belongs to a watched folder: which files are ignored, and which links are followed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
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
        target = os.path.realpath(path)
        is_direct = target == path and path.startswith(f"{self.folder}{os.sep}")
        root = str(self.folder) if is_direct else os.path.realpath(self.folder)
        inside = target == root or target.startswith(root.rstrip(os.sep) + os.sep)
        if not inside and not self._follow_links:
            return False
        way = [Path(target), *Path(target).parents]
        if inside:
            way = way[: way.index(Path(root))]
        return not any(self.is_private(str(folder)) for folder in way)
