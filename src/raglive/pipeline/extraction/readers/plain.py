"""Text that needs no conversion, and JSON."""

from __future__ import annotations

import json
import re

from raglive.pipeline.extraction.encoding import decode
from raglive.pipeline.extraction.model import Draft

__all__ = ["read_json", "read_markdown", "read_text"]

# What Python, Emacs and Vim agree on: a comment in one of the first two lines.
_CODING = re.compile(rb"\A(?:[^\n]*\n)?[ \t\f]*[^\w\s][^\n]*?coding[:=][ \t]*([-\w.]+)")
_ESCAPED = re.compile(r"(?<!\\)((?:\\\\)*)((?:\\u[0-9a-fA-F]{4})+)")
_LONG_LINE_CHARS = 2_000


def read_text(data: bytes, _name: str) -> Draft:
    """Read text as it stands."""
    told = _CODING.search(data[:400])
    return Draft([decode(data, told[1].decode("ascii") if told else None)])


def read_markdown(data: bytes, _name: str) -> Draft:
    """Read Markdown as it stands; its first heading is the title."""
    text = decode(data)
    heading = next((line[2:] for line in text.splitlines() if line.startswith("# ")), None)
    return Draft([text], title=heading, is_markdown=True)


def read_json(data: bytes, _name: str) -> Draft:
    """Read JSON with its letters unescaped, and laid out in lines when it has none."""
    text = decode(data)
    text = _ESCAPED.sub(_unescaped, text) if "\\u" in text else text
    if max(map(len, text.splitlines()), default=0) <= _LONG_LINE_CHARS:
        return Draft([text])
    try:
        return Draft([json.dumps(json.loads(text), ensure_ascii=False, indent=1)])
    except (ValueError, RecursionError):
        return Draft([text])


def _unescaped(found: re.Match[str]) -> str:
    letters: str = json.loads(f'"{found[2]}"')
    return found[0] if min(letters) < "\xa0" else found[1] + letters
