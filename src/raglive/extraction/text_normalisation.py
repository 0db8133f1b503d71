"""Normalises extracted text: Unicode form, newlines and control characters."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["normalise", "one_line"]

_NEWLINES = re.compile(r"\r\n?|[\x0c\x0b\x85\u2028\u2029]")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufeff]")
_TERMINAL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")  # colours and the like
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_LIGATURES = re.compile(r"[\ufb00-\ufb06]")


def normalise(text: str) -> str:
    r"""Convert to NFC with "\n" newlines, and remove characters that Postgres cannot store."""
    text = _NEWLINES.sub("\n", text) if _NEWLINES.search(text) else text
    text = _TERMINAL.sub("", text) if "\x1b" in text else text
    text = _CONTROLS.sub("", text)
    if text.isascii():
        return text
    text = _LIGATURES.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    return unicodedata.normalize("NFC", _SURROGATES.sub("\ufffd", text))


def one_line(text: str, limit: int) -> str:
    """Collapse white space, and truncate to `limit` characters."""
    return " ".join(normalise(text).split())[:limit].rstrip()
