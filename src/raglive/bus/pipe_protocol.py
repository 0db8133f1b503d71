"""The framing between parent and child process: a JSON header and a binary body, with lengths."""

from __future__ import annotations

import asyncio
import struct
from typing import Any, BinaryIO

import orjson

__all__ = ["Frame", "pack", "read_frame", "receive_frame"]

Frame = tuple[dict[str, Any], bytes]

_SIZES = struct.Struct(">II")
_MAX_BYTES = 1 << 30


def pack(header: dict[str, Any], body: bytes = b"") -> bytes:
    """Encode a frame."""
    packed = orjson.dumps(header)
    return b"".join((_SIZES.pack(len(packed), len(body)), packed, body))


def read_frame(stream: BinaryIO) -> Frame | None:
    """Read the next frame in the child; None when the parent closed the pipe."""
    sizes = stream.read(_SIZES.size)
    if len(sizes) < _SIZES.size:
        return None
    header_size, body_size = _SIZES.unpack(sizes)
    return orjson.loads(stream.read(header_size)), stream.read(body_size)


async def receive_frame(stream: asyncio.StreamReader) -> Frame:
    """Read the next frame in the parent. Raises EOFError when the child exited."""
    header_size, body_size = _SIZES.unpack(await stream.readexactly(_SIZES.size))
    if header_size + body_size > _MAX_BYTES:
        raise EOFError(f"a frame of {header_size + body_size} bytes")
    header = orjson.loads(await stream.readexactly(header_size))
    return header, await stream.readexactly(body_size) if body_size else b""
