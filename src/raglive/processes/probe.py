"""Whether an address on this machine answers; no more HTTP than that takes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit

__all__ = ["answers"]

_WORST_ANSWERS = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


async def answers(url: str, within_seconds: float) -> bool:
    """Say whether a GET of an `http` address succeeds with a status of 200 to 299."""
    with suppress(*_WORST_ANSWERS):
        async with asyncio.timeout(within_seconds):
            return 200 <= await _status(url) < 300
    return False


async def _status(url: str) -> int:
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        request = f"GET {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        line = await reader.readuntil(b"\r\n")
    finally:
        writer.close()
    _, _, rest = line.partition(b" ")
    return int(rest[:3]) if rest[:3].isdigit() else 0
