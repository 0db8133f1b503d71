"""Text that needs no conversion, and JSON."""

from __future__ import annotations

import json

from raglive.pipeline.extraction.encoding import decode
from raglive.pipeline.extraction.model import Draft

__all__ = ["read_json", "read_markdown", "read_text"]

_LONG_LINE_CHARS = 2_000


def read_text(data: bytes, _name: str) -> Draft:
    """Read text as it stands."""
    return Draft([decode(data)])


def read_markdown(data: bytes, _name: str) -> Draft:
    """Read Markdown as it stands; its first heading is the title."""
    text = decode(data)
    heading = next((line[2:] for line in text.splitlines() if line.startswith("# ")), None)
    return Draft([text], title=heading, is_markdown=True)


def read_json(data: bytes, _name: str) -> Draft:
    """Read JSON as it stands, or laid out in lines when it has none."""
    text = decode(data)
    if max(map(len, text.splitlines()), default=0) <= _LONG_LINE_CHARS:
        return Draft([text])
    try:
        return Draft([json.dumps(json.loads(text), ensure_ascii=False, indent=1)])
    except (ValueError, RecursionError):
        return Draft([text])
