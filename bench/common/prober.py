"""A client in its own process that requests `/health/live` every 10 ms.

For each line of the input it prints the seconds that every answer since the last line took.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

PERIOD_SECONDS = 0.01


async def probe(port: int, took: list[float]) -> None:
    """Send a request every 10 ms, or as soon as the last one is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    while True:
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        took.append(time.perf_counter() - began)
        await asyncio.sleep(max(0.0, began + PERIOD_SECONDS - time.perf_counter()))


async def main(port: int) -> None:
    """Probe until the input ends."""
    took: list[float] = []
    probing = asyncio.create_task(probe(port, took))
    while await asyncio.to_thread(sys.stdin.readline):
        if probing.done():
            probing.result()
        print(json.dumps(took), flush=True)
        took.clear()
    probing.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
