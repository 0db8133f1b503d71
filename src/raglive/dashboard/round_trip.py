"""One ping over Socket.IO, as a viewer's page would send it.

Loaded when the first is asked for: the client's libraries take longer to load than the rest.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import socketio

__all__ = ["round_trip"]

CLOSE_SECONDS = 1.0


async def round_trip(
    url: str, path: str, namespace: str, token: str, within_seconds: float
) -> tuple[float, str]:
    """Return the milliseconds of a ping, and the transport. Raises ConnectionError, ValueError."""
    client = socketio.AsyncClient(reconnection=False, logger=False, engineio_logger=False)
    try:
        await client.connect(
            url,
            auth={"token": token},
            namespaces=[namespace],
            socketio_path=path,
            wait_timeout=within_seconds,
        )
        started = time.perf_counter()
        await client.call("ping", time.time() * 1000, namespace=namespace, timeout=within_seconds)
        return round((time.perf_counter() - started) * 1000, 2), str(client.transport())
    except socketio.exceptions.SocketIOError as error:
        raise ConnectionError(_reason(error)) from error
    finally:
        with suppress(TimeoutError, socketio.exceptions.SocketIOError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await client.shutdown()


def _reason(failure: Exception) -> str:
    said = failure.args[0] if failure.args else None
    if isinstance(said, dict):  # the server's refusal
        said = said.get("message")
    return str(said or type(failure).__name__)[:500]
