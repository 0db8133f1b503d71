"""Normalises extracted text, and removes binary data that is encoded in it."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["drop_encoded_data", "normalise", "one_line"]

_NEWLINES = re.compile(r"\r\n?|[\x0c\x0b\x85\u2028\u2029]")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufeff]")
_TERMINAL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")  # colours and the like
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_LIGATURES = re.compile(r"[\ufb00-\ufb06]")
# Places where a word may be broken. Thai, Lao, Burmese and Khmer separate words with U+200B.
_BREAK_HINTS = re.compile(
    "[\u00ad\u2060-\u2064]|(?<![\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff])\u200b"
)
_INLINE_IMAGE = re.compile(r"!\[([^\[\]\n]{0,500})\]\(\s*<?data:[^\s()>]*+>?[^()\n]{0,400}\)")
_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w.=-]+)*;base64,[A-Za-z0-9+/=%_-]*")
_LEAST_ENCODED_LINE = 60
_BASE64_LINES = re.compile(
    r"(?m)^[ \t>]*(?:[A-Za-z0-9+/]{60,76}\r?\n[ \t>]*){4,}[A-Za-z0-9+/]*={0,2}(?=\s|$)"
)
_BASE64_RUN = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{400,}+={0,2}")
_MIXED = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])", re.S)


def normalise(text: str) -> str:
    r"""Convert to NFC with "\n" newlines, and remove characters that Postgres cannot store."""
    text = _NEWLINES.sub("\n", text) if _NEWLINES.search(text) else text
    text = _TERMINAL.sub("", text) if "\x1b" in text else text
    text = _CONTROLS.sub("", text)
    if text.isascii():
        return text
    text = _LIGATURES.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    text = _BREAK_HINTS.sub("", text).replace("\u2011", "-")
    return unicodedata.normalize("NFC", _SURROGATES.sub("\ufffd", text))


def drop_encoded_data(text: str) -> str:
    """Remove base64 data. A picture in a data URI is replaced by its alternative text."""
    if "base64," in text:
        text = _DATA_URI.sub("", _INLINE_IMAGE.sub(r"\1", text))
    if max(map(len, text.split()), default=0) < _LEAST_ENCODED_LINE:
        return text
    for pattern in (_BASE64_LINES, _BASE64_RUN):
        text = pattern.sub(lambda found: "" if _MIXED.match(found[0]) else found[0], text)
    return text


def one_line(text: str, limit: int) -> str:
    """Collapse white space, and truncate to `limit` characters."""
    return " ".join(normalise(text).split())[:limit].rstrip()
