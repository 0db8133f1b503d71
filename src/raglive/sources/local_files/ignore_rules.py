"""The files and folders that the watcher ignores: built-in patterns, and those of the settings."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["IgnoreRules"]

# Ignored regardless of the settings.
HIDDEN_AND_TECHNICAL = (".*", "~$*", "*~", "#*#", "thumbs.db", "desktop.ini", "icon\r")
PARTIAL_DOWNLOADS_AND_TEMPORARY = (
    "*.tmp",
    "*.temp",
    "*.part",
    "*.partial",
    "*.filepart",
    "*.crswap",
    "*.fdmdownload",
    "*.dtapart",
    "*.crdownload",
    "*.download",
    "*.opdownload",
    "*.!ut",
    "*.!qb",
    "*.aria2",
    "*.swp",
    "*.swo",
    "*.swx",
)
TECHNICAL_FOLDERS = (
    "__pycache__/",
    "__macosx/",
    "node_modules/",
    "$recycle.bin/",
    "system volume information/",
    "lost+found/",
)


BUILT_IN = (*HIDDEN_AND_TECHNICAL, *PARTIAL_DOWNLOADS_AND_TEMPORARY, *TECHNICAL_FOLDERS)


class IgnoreRules:
    """Glob patterns of ignored files, in addition to the built-in ones.

    A pattern without a slash matches names at any depth; one with a slash matches a path relative
    to the watched folder. A trailing slash restricts it to folders. `**` matches any folders.
    """

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        built_in = [(glob, re.IGNORECASE) for glob in BUILT_IN]
        globs = built_in + [(glob, re.NOFLAG) for glob in patterns if glob.strip("/")]
        self._names = _Globs(globs, of_paths=False)
        self._paths = _Globs(globs, of_paths=True)

    def ignores(self, location: str, name: str, *, is_folder: bool) -> bool:
        """Check whether a file or folder in a watched folder is ignored."""
        return self._names.match(name, is_folder) or self._paths.match(location, is_folder)

    def ignores_path(self, location: str, *, is_folder: bool) -> bool:
        """Check whether a file or folder is ignored, by itself or with a folder above it."""
        parts = location.split("/")
        for depth, name in enumerate(parts, 1):
            folder = is_folder or depth < len(parts)
            if self.ignores("/".join(parts[:depth]), name, is_folder=folder):
                return True
        return False


class _Globs:
    def __init__(self, globs: Sequence[tuple[str, re.RegexFlag]], *, of_paths: bool) -> None:
        chosen = [one for one in globs if ("/" in one[0].rstrip("/")) is of_paths]
        self._files = _compile([one for one in chosen if not one[0].endswith("/")])
        self._folders = _compile(chosen)

    def match(self, text: str, is_folder: bool) -> bool:
        one = self._folders if is_folder else self._files
        return one is not None and one.match(text) is not None


def _compile(globs: Sequence[tuple[str, re.RegexFlag]]) -> re.Pattern[str] | None:
    if not globs:
        return None
    parts = [f"(?i:{_regex(g)})" if flag & re.IGNORECASE else _regex(g) for g, flag in globs]
    return re.compile(rf"(?s:{'|'.join(parts)})\Z")


def _regex(glob: str) -> str:
    text, out, at = glob.strip("/"), "", 0
    while at < len(text):
        piece, at = _next_piece(text, at)
        out += piece
    return f"(?:{out})"


def _next_piece(text: str, at: int) -> tuple[str, int]:
    for token, piece in (("**/", "(?:.*/)?"), ("**", ".*"), ("*", "[^/]*"), ("?", "[^/]")):
        if text.startswith(token, at):
            return piece, at + len(token)
    end = text.find("]", at + 2)
    if text[at] == "[" and end > 0:
        inside = text[at + 1 : end].replace("\\", r"\\").replace("[", r"\[")
        inside = f"^{inside[1:]}" if inside[0] in "!^" else inside
        if _compiles(f"[{inside}]"):
            return f"(?!/)[{inside}]", end + 1
    return re.escape(text[at]), at + 1


def _compiles(piece: str) -> bool:
    try:
        re.compile(piece)
    except re.error:
        return False
    return True
