"""Many Socket.IO viewers over WebSocket, in a process that does little else.

For each line on its standard input it prints how many events they have received. They implement the
protocol themselves, because a client library would cost more than the measured server.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
import sys
from typing import cast

__all__ = ["main"]

NAMESPACE = "/local_files"
AT_ONCE = 50
TEXT, PING, PONG = 1, 9, 10  # opcodes of frames
_MASK = b"\0\0\0\0"  # a client must mask; a mask of zeros changes nothing


class Viewer(asyncio.Protocol):
    """Connects, subscribes, answers pings, and counts events."""

    def __init__(self, counts: Counts, token: str, path: str) -> None:
        self._counts = counts
        self._token = token
        self._path = path
        self._rest = b""
        self._upgraded = False
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Request the upgrade to WebSocket."""
        self._transport = transport = cast("asyncio.WriteTransport", transport)
        key = base64.b64encode(os.urandom(16)).decode()
        host = "{}:{}".format(*transport.get_extra_info("peername")[:2])
        transport.write(
            f"GET {self._path}/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {host}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Parse complete frames."""
        data = self._rest + data
        if not self._upgraded:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self._rest = head
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                self._fail(head)
            self._upgraded = True
        at = 0
        while (frame := _frame(data, at)) is not None:
            start, end = frame
            if data[at] & 0x0F == PING:
                self._send(data[start:end], PONG)
            else:
                self._take(data[start:end])
            at = end
        self._rest = data[at:]

    def connection_lost(self, _error: Exception | None) -> None:
        """Count the lost connection."""
        self._counts.lost += 1
        self._fail(b"the connection was closed")

    def _take(self, packet: bytes) -> None:
        if packet.startswith(b"42"):
            self._counts.events += 1
        elif packet.startswith(b"0"):
            self._send(f"40{NAMESPACE},{json.dumps({'token': self._token})}".encode())
        elif packet.startswith(b"40"):
            self._send(f'42{NAMESPACE},0["subscribe",{{}}]'.encode())
        elif packet.startswith(b"43"):
            if not self.subscribed.done():
                self.subscribed.set_result(None)
        elif packet.startswith(b"44"):
            self._fail(packet)
        elif packet == b"2":
            self._send(b"3")

    def _send(self, body: bytes, opcode: int = TEXT) -> None:
        size = (
            bytes([0x80 | len(body)]) if len(body) < 126 else b"\xfe" + struct.pack(">H", len(body))
        )
        self._transport.write(bytes([0x80 | opcode]) + size + _MASK + body)

    def _fail(self, why: bytes) -> None:
        if not self.subscribed.done():
            self.subscribed.set_exception(ConnectionError(why[:300].decode(errors="replace")))


class Counts:
    """The totals of all viewers."""

    events = 0
    lost = 0


def _frame(data: bytes, at: int) -> tuple[int, int] | None:
    """Return the position of the next frame's payload; None while it is incomplete."""
    if len(data) < at + 2:
        return None
    size, start = data[at + 1] & 0x7F, at + 2
    if size == 126:
        start += 2
        size = int.from_bytes(data[at + 2 : start], "big")
    elif size == 127:
        start += 8
        size = int.from_bytes(data[at + 2 : start], "big")
    return (start, start + size) if len(data) >= start + size else None


async def main(port: int, path: str, viewers: int, token: str) -> None:
    """Connect, print `ready`, then answer `count` until the input ends."""
    loop = asyncio.get_running_loop()
    counts = Counts()
    slots = asyncio.Semaphore(AT_ONCE)

    async def view() -> Viewer:
        async with slots:
            _, viewer = await loop.create_connection(
                lambda: Viewer(counts, token, path), "127.0.0.1", port
            )
            await asyncio.wait_for(viewer.subscribed, 60)
            return viewer

    kept = await asyncio.gather(*(view() for _ in range(viewers)))
    print("ready", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps({"events": counts.events, "lost": counts.lost}), flush=True)
    del kept


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]))
