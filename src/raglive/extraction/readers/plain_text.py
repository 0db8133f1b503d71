"""Plain text, Markdown and JSON."""

from __future__ import annotations

import json
import re

from raglive.extraction.model import ReaderOutput
from raglive.extraction.text_encoding import decode

__all__ = ["read_json", "read_markdown", "read_text"]

# The encoding comment of Python, Emacs and Vim, in one of the first two lines.
_CODING = re.compile(rb"\A(?:[^\n]*\n)?[ \t\f]*[^\w\s][^\n]*?coding[:=][ \t]*([-\w.]+)")
_ESCAPED = re.compile(r"(?<!\\)((?:\\\\)*)((?:\\u[0-9a-fA-F]{4})+)")
_LONG_LINE_CHARS = 2_000


def read_text(data: bytes, _name: str) -> ReaderOutput:
    """Read plain text, in the encoding of its encoding comment if it has one."""
    declared = _CODING.search(data[:400])
    return ReaderOutput([decode(data, declared[1].decode("ascii") if declared else None)])


def read_markdown(data: bytes, _name: str) -> ReaderOutput:
    """Read Markdown without changes; its first heading is the title."""
    text = decode(data)
    heading = next((line[2:] for line in text.splitlines() if line.startswith("# ")), None)
    return ReaderOutput([text], title=heading, is_markdown=True)


def read_json(data: bytes, _name: str) -> ReaderOutput:
    """Read JSON with unescaped letters, and with line breaks if it has none."""
    text = decode(data)
    text = _ESCAPED.sub(_unescaped, text) if "\\u" in text else text
    if max(map(len, text.splitlines()), default=0) <= _LONG_LINE_CHARS:
        return ReaderOutput([text])
    try:
        return ReaderOutput([json.dumps(json.loads(text), ensure_ascii=False, indent=1)])
    except (ValueError, RecursionError):
        return ReaderOutput([text])


def _unescaped(found: re.Match[str]) -> str:
    letters: str = json.loads(f'"{found[2]}"')
    return found[0] if min(letters) < "\xa0" else found[1] + letters
