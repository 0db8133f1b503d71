"""Clients without a token that load a server, in a process of their own.

Some hold connections: half of them send nothing, half send an unfinished request, and each that is
closed is opened again. Others send requests with bodies that are refused, at a fixed rate. For each
line on its standard input the process prints how many bytes were sent.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress

__all__ = ["main"]

SENDERS = 8
BODY = b"x" * 1_000_000
REQUEST = (
    b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer wrong\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
)
PART = 250_000


class Sent:
    """The bytes of refused requests, and the connections that are held."""

    bytes = 0
    held = 0


async def hold(port: int, sent: Sent, first: bytes) -> None:
    """Hold a connection without a complete request for ever."""
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            sent.held += 1
            try:
                writer.write(first)
                await reader.read()
            finally:
                sent.held -= 1
                writer.close()
        await asyncio.sleep(0.5)


async def send(port: int, sent: Sent, per_second: float) -> None:
    """Send requests that are refused, each over its own connection."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(REQUEST)
            for at in range(0, len(BODY), PART):
                writer.write(BODY[at : at + PART])
                await writer.drain()
                sent.bytes += PART
                due = max(due + PART / per_second, loop.time() - 1.0)
                await asyncio.sleep(due - loop.time())
            writer.close()
        await asyncio.sleep(0)


async def main(port: int, held: int, bytes_per_second: float) -> None:
    """Attack until the input ends."""
    sent = Sent()
    async with asyncio.TaskGroup() as group:
        attacks = [
            group.create_task(hold(port, sent, b"POST / HTTP/1.1\r\nX-" if number % 2 else b""))
            for number in range(held)
        ]
        attacks += [
            group.create_task(send(port, sent, bytes_per_second / SENDERS)) for _ in range(SENDERS)
        ]
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps({"bytes": sent.bytes, "held": sent.held}), flush=True)
        for attack in attacks:
            attack.cancel()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
