"""What a mail of Outlook consists of: items with numbered properties, in a compound file."""

from __future__ import annotations

import codecs
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Literal

from raglive.pipeline.extraction.compound import Compound, Path
from raglive.pipeline.extraction.encoding import decode

__all__ = ["Item", "ItemKind"]

ItemKind = Literal["file", "mail", "attachment", "recipient"]

_HEADER_BYTES: dict[ItemKind, int] = {"file": 32, "mail": 24, "attachment": 8, "recipient": 8}
_ENTRY = struct.Struct("<HHI8s")
_BINARY, _UNICODE, _STRING8, _STORAGE = "0102", "001F", "001E", "000D"
_CODE_PAGES = (0x3FFD, 0x3FDE)  # of the item's strings, of the mail on the Internet
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
# Windows's numbers of code pages which Python knows by other names.
_CODECS = {
    1200: "utf-16-le",
    10000: "mac-roman",
    20127: "ascii",
    20866: "koi8-r",
    21866: "koi8-u",
    50220: "iso2022-jp",
    50221: "iso2022-jp",
    50222: "iso2022-jp",
    50225: "iso2022-kr",
    51932: "euc-jp",
    51936: "gb2312",
    51949: "euc-kr",
    52936: "hz",
    54936: "gb18030",
    65001: "utf-8",
    **{28590 + part: f"iso8859-{part}" for part in range(1, 17)},
}


class Item:
    """A mail, or what belongs to one. A property that is missing reads as nothing."""

    def __init__(
        self, file: Compound, path: Path = (), kind: ItemKind = "file", encoding: str | None = None
    ) -> None:
        self._file = file
        self._path = path
        self._header_bytes = _HEADER_BYTES[kind]
        self._inherited = encoding

    def text(self, *numbers: int) -> str:
        """Return the first of these properties that is a text, "" if none is."""
        for number in numbers:
            wide = self._stream(number, _UNICODE)
            narrow = None if wide is not None else self._stream(number, _STRING8)
            text = (
                wide.decode("utf-16-le", "replace")
                if wide is not None
                else decode(narrow or b"", self.encoding)
            )
            if text.strip("\0 \t\r\n"):
                return text.rstrip("\0")
        return ""

    def data(self, number: int) -> bytes | None:
        """Return a property of bytes."""
        return self._stream(number, _BINARY)

    def number(self, number: int) -> int | None:
        """Return a property that is a 32-bit number."""
        value = self._fixed.get(number)
        return int.from_bytes(value[:4], "little") if value else None

    def moment(self, number: int) -> datetime | None:
        """Return a property that is a time."""
        value = self._fixed.get(number)
        if not value or not any(value):
            return None
        try:
            return _EPOCH + timedelta(microseconds=int.from_bytes(value, "little") // 10)
        except OverflowError:
            return None

    def items(self, prefix: str, kind: ItemKind) -> Iterator[Item]:
        """Yield the items of a kind that belong to this one."""
        for name in self._file.names(self._path):
            if name.startswith(prefix):
                yield Item(self._file, (*self._path, name), kind, self.encoding)

    def mail(self, number: int) -> Item | None:
        """Return the property that is a mail, if it is one."""
        path = (*self._path, _stream_name(number, _STORAGE))
        is_mail = "__properties_version1.0" in self._file.names(path)
        return Item(self._file, path, "mail") if is_mail else None

    @cached_property
    def encoding(self) -> str | None:
        """Python's name of the encoding of the texts that are not Unicode, if it is told."""
        for number in _CODE_PAGES:
            page = self.number(number)
            name = _CODECS.get(page or 0, f"cp{page}")
            if page and _is_codec(name):
                return name
        return self._inherited

    @cached_property
    def _fixed(self) -> dict[int, bytes]:
        entries = (self._file.read((*self._path, "__properties_version1.0")) or b"")[
            self._header_bytes :
        ]
        whole = entries[: len(entries) // _ENTRY.size * _ENTRY.size]
        return {number: value for _, number, _, value in _ENTRY.iter_unpack(whole)}

    def _stream(self, number: int, kind: str) -> bytes | None:
        return self._file.read((*self._path, _stream_name(number, kind)))


def _stream_name(number: int, kind: str) -> str:
    return f"__substg1.0_{number:04X}{kind}"


def _is_codec(name: str) -> bool:
    try:
        codecs.lookup(name)
    except LookupError:
        return False
    return True
