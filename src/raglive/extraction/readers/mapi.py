"""The MAPI items of an Outlook mail: objects with numbered properties in a compound file."""

from __future__ import annotations

import codecs
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Literal

from raglive.extraction.readers.ole_container import CompoundFile, Path
from raglive.extraction.text_encoding import decode

__all__ = [
    "BINARY",
    "OBJECT",
    "STRING8",
    "UNICODE",
    "ItemKind",
    "MapiItem",
    "StoredItem",
    "codec_of",
]

ItemKind = Literal["file", "mail", "attachment", "recipient"]

OBJECT, STRING8, UNICODE, BINARY = 0x000D, 0x001E, 0x001F, 0x0102  # types of properties

_CODE_PAGES = (0x3FFD, 0x3FDE)  # of the item's strings, and of its Internet format
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
# Windows code pages that have other names in Python.
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

_PROPERTIES = "__properties_version1.0"
_PREFIXES: dict[ItemKind, str] = {
    "attachment": "__attach_version1.0_",
    "recipient": "__recip_version1.0_",
}
_HEADER_BYTES: dict[ItemKind, int] = {"file": 32, "mail": 24, "attachment": 8, "recipient": 8}
_ENTRY = struct.Struct("<HHI8s")


class MapiItem(ABC):
    """A mail, recipient or attachment. Missing properties are returned as empty or None."""

    inherited_encoding: str | None = None

    def text(self, *numbers: int) -> str:
        """Return the first non-blank text among these properties, "" if there is none."""
        for number in numbers:
            wide = self._value(number, UNICODE)
            text = (
                decode(self._value(number, STRING8) or b"", self.encoding)
                if wide is None
                else wide.decode("utf-16-le", "replace")
            )
            if text.strip("\0 \t\r\n"):
                return text.rstrip("\0")
        return ""

    def data(self, number: int) -> bytes | None:
        """Return a binary property."""
        return self._value(number, BINARY)

    def number(self, number: int) -> int | None:
        """Return a 32-bit integer property."""
        value = self._fixed_values.get(number)
        return int.from_bytes(value[:4], "little") if value else None

    def moment(self, number: int) -> datetime | None:
        """Return a time property."""
        value = self._fixed_values.get(number)
        if not value or not any(value):
            return None
        try:
            return _EPOCH + timedelta(microseconds=int.from_bytes(value[:8], "little") // 10)
        except OverflowError:
            return None

    @cached_property
    def encoding(self) -> str | None:
        """The Python codec for texts that are not Unicode, None if the mail does not state it."""
        for number in _CODE_PAGES:
            name = codec_of(self.number(number))
            if name:
                return name
        return self.inherited_encoding

    @abstractmethod
    def items(self, kind: ItemKind) -> Iterator[MapiItem]:
        """Yield this item's recipients or attachments."""

    @abstractmethod
    def mail(self, number: int) -> MapiItem | None:
        """Return a property that is an embedded mail, None otherwise."""

    @property
    @abstractmethod
    def _fixed_values(self) -> dict[int, bytes]:
        """Properties of fixed size: numbers and times."""

    @abstractmethod
    def _value(self, number: int, kind: int) -> bytes | None:
        """Return a property of variable size, None if there is none of this type."""


class StoredItem(MapiItem):
    """An item in a compound file."""

    def __init__(
        self,
        file: CompoundFile,
        path: Path = (),
        kind: ItemKind = "file",
        encoding: str | None = None,
    ) -> None:
        self._file = file
        self._path = path
        self._header_bytes = _HEADER_BYTES[kind]
        self.inherited_encoding = encoding

    def items(self, kind: ItemKind) -> Iterator[MapiItem]:
        """Yield this item's recipients or attachments."""
        for name in self._file.names(self._path):
            if name.startswith(_PREFIXES[kind]):
                yield StoredItem(self._file, (*self._path, name), kind, self.encoding)

    def mail(self, number: int) -> MapiItem | None:
        """Return a property that is an embedded mail, None otherwise."""
        path = (*self._path, _stream_name(number, OBJECT))
        is_mail = _PROPERTIES in self._file.names(path)
        return StoredItem(self._file, path, "mail") if is_mail else None

    @cached_property
    def _fixed_values(self) -> dict[int, bytes]:
        entries = (self._file.read((*self._path, _PROPERTIES)) or b"")[self._header_bytes :]
        whole = entries[: len(entries) // _ENTRY.size * _ENTRY.size]
        return {number: value for _, number, _, value in _ENTRY.iter_unpack(whole)}

    def _value(self, number: int, kind: int) -> bytes | None:
        return self._file.read((*self._path, _stream_name(number, kind)))


def codec_of(code_page: int | None) -> str | None:
    """Return the Python codec of a Windows code page, None if there is none."""
    if not code_page:
        return None
    name = _CODECS.get(code_page, f"cp{code_page}")
    try:
        codecs.lookup(name)
    except LookupError:
        return None
    return name


def _stream_name(number: int, kind: int) -> str:
    return f"__substg1.0_{number:04X}{kind:04X}"
