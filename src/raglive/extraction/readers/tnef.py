"""TNEF files (winmail.dat), in which Exchange sends the MAPI properties of a mail."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cached_property

from raglive.extraction.model import failed
from raglive.extraction.readers.mapi import (
    BINARY,
    OBJECT,
    STRING8,
    UNICODE,
    ItemKind,
    MapiItem,
    codec_of,
)
from raglive_contract.errors import ErrorCode

__all__ = ["MAGIC", "TnefItem"]

MAGIC = b"\x78\x9f\x3e\x22"

_ATTRIBUTE = struct.Struct("<BII")
_START, _CHECKSUM_BYTES = len(MAGIC) + 2, 2
_CODE_PAGE, _PROPERTIES = 0x0006_9007, 0x0006_9003
_NEW_ATTACHMENT, _ATTACHMENT_PROPERTIES = 0x0006_9002, 0x0006_9005
# Legacy attributes, and the properties that they correspond to.
_AS_PROPERTIES = {
    0x0001_8004: (0x0037, STRING8),
    0x0002_800C: (0x1000, STRING8),
    0x0001_8010: (0x3704, STRING8),
    0x0006_800F: (0x3701, BINARY),
}
_FIXED_BYTES = {
    **dict.fromkeys((0x02, 0x03, 0x04, 0x0A, 0x0B), 4),
    **dict.fromkeys((0x05, 0x06, 0x07, 0x14, 0x40), 8),
    0x48: 16,
}
_MANY = 0x1000
_INTERFACE_BYTES = 16  # precede an embedded mail

Properties = dict[tuple[int, int], bytes]


class TnefItem(MapiItem):
    """A mail or an attachment in a TNEF file."""

    def __init__(
        self,
        properties: Properties,
        attachments: list[Properties] | None = None,
        encoding: str | None = None,
    ) -> None:
        self._properties = properties
        self._attachments = attachments or []
        self.inherited_encoding = encoding

    @classmethod
    def of(cls, data: bytes) -> TnefItem:
        """Parse a TNEF file. Raises `Refusal` if it is damaged."""
        try:
            return cls._read(data)
        except (struct.error, ValueError, KeyError) as error:
            raise failed(ErrorCode.EXTRACTION_ERROR, f"The file is damaged: {error}.") from error

    @classmethod
    def _read(cls, data: bytes) -> TnefItem:
        mail: Properties = {}
        attachments: list[Properties] = []
        encoding = None
        for tag, content in _attributes(data):
            within = attachments[-1] if attachments else mail
            if tag == _CODE_PAGE:
                encoding = codec_of(struct.unpack_from("<I", content)[0])
            elif tag == _NEW_ATTACHMENT:
                attachments.append({})
            elif tag == _PROPERTIES:
                mail |= _PropertyReader(content).properties()
            elif tag == _ATTACHMENT_PROPERTIES:
                within |= _PropertyReader(content).properties()
            elif tag in _AS_PROPERTIES:
                within.setdefault(_AS_PROPERTIES[tag], content)
        return cls(mail, attachments, encoding)

    def items(self, kind: ItemKind) -> Iterator[MapiItem]:
        """Yield the attachments. Recipients are only in the headers of the enclosing mail."""
        for properties in self._attachments if kind == "attachment" else ():
            yield TnefItem(properties, encoding=self.encoding)

    def mail(self, number: int) -> MapiItem | None:
        """Return the property that is a mail, if it is one."""
        inner = (self._value(number, OBJECT) or b"")[_INTERFACE_BYTES:]
        return TnefItem.of(inner) if inner.startswith(MAGIC) else None

    @cached_property
    def _fixed_values(self) -> dict[int, bytes]:
        fixed = self._properties.items()
        return {number: value for (number, kind), value in fixed if kind in _FIXED_BYTES}

    def _value(self, number: int, kind: int) -> bytes | None:
        return self._properties.get((number, kind))


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = _START
    while position + _ATTRIBUTE.size <= len(data):  # a mail program may have appended a newline
        _, tag, size = _ATTRIBUTE.unpack_from(data, position)
        start = position + _ATTRIBUTE.size
        position = start + size + _CHECKSUM_BYTES
        if position > len(data):
            raise ValueError("it is truncated")
        yield tag, data[start : start + size]


class _PropertyReader:
    """Reads a list of properties, each padded to four bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def properties(self) -> Properties:
        found: Properties = {}
        for _ in range(self._number()):
            kind, number = struct.unpack("<HH", self._bytes(4))
            if number >= 0x8000:
                self._skip_name()
            size = _FIXED_BYTES.get(kind & ~_MANY)
            is_counted = kind & _MANY or kind in {STRING8, UNICODE, OBJECT, BINARY}
            values = [self._bytes(size or self._number()) for _ in range(self._count(is_counted))]
            if values and not kind & _MANY:
                found[number, kind] = values[0]
        return found

    def _count(self, is_counted: int) -> int:
        return self._number() if is_counted else 1

    def _skip_name(self) -> None:
        self._bytes(16)
        is_named = self._number()
        number_or_length = self._number()
        if is_named:
            self._bytes(number_or_length)

    def _number(self) -> int:
        return int.from_bytes(self._bytes(4), "little")

    def _bytes(self, size: int) -> bytes:
        start = self._position
        self._position += size + -size % 4
        if start + size > len(self._data):
            raise ValueError("a property ends beyond its attribute")
        return self._data[start : start + size]
