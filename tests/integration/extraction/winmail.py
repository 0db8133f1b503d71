"""Creates winmail.dat files in memory."""

from __future__ import annotations

import struct

SUBJECT, BODY, ATTACHED_TITLE, ATTACHED_DATA = 0x18004, 0x2800C, 0x18010, 0x6800F
CODE_PAGE, PROPERTIES, NEW_ATTACHMENT, ATTACHMENT_PROPERTIES = 0x69007, 0x69003, 0x69002, 0x69005
A_MAIL = bytes.fromhex("0703020000000000c000000000000046")


def tnef(*attributes: tuple[int, bytes]) -> bytes:
    packed = (
        struct.pack("<BII", 1, tag, len(content))
        + content
        + struct.pack("<H", sum(content) & 0xFFFF)
        for tag, content in attributes
    )
    return struct.pack("<IH", 0x223E9F78, 1) + b"".join(packed)


def properties(*found: tuple[int, int, bytes]) -> bytes:
    """Properties: number, type, value; the one that has a name of its own too."""
    return struct.pack("<I", len(found)) + b"".join(_property(*each) for each in found)


def _property(number: int, kind: int, value: bytes) -> bytes:
    name = "Keywords\0".encode("utf-16-le")
    own = bytes(16) + struct.pack("<II", 1, len(name)) + _padded(name) if number >= 0x8000 else b""
    counted = kind & 0x1000 or kind in {0x0D, 0x1E, 0x1F, 0x102}
    lengths = struct.pack("<II", 1, len(value)) if counted else b""
    return struct.pack("<HH", kind, number) + own + lengths + _padded(value)


def _padded(value: bytes) -> bytes:
    return value + bytes(-len(value) % 4)


def attached(name: str, content: bytes) -> list[tuple[int, bytes]]:
    return [
        (NEW_ATTACHMENT, bytes(14)),
        (ATTACHED_TITLE, name.encode("cp1252") + b"\0"),
        (ATTACHED_DATA, content),
    ]


def inner_mail(content: bytes) -> list[tuple[int, bytes]]:
    made = properties((0x3701, 0x0D, A_MAIL + content))
    return [(NEW_ATTACHMENT, bytes(14)), (ATTACHMENT_PROPERTIES, made)]
