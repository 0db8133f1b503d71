"""A viewer of the status server that behaves like the web app: Socket.IO, with a token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import socketio

from tests.acceptance.installation import Installation

__all__ = ["viewing"]


@asynccontextmanager
async def viewing(
    installation: Installation, see: Callable[[str, dict[str, Any]], None]
) -> AsyncIterator[None]:
    """Follow every local-files pipeline; call `see` with each event's type and body."""
    status, token, errors = await installation.cli("token", "--role", "viewer")
    if status != 0:
        raise RuntimeError(f"no token: {errors}")
    client = socketio.AsyncClient(reconnection=False)

    async def on_any(event: str, body: dict[str, Any]) -> None:
        see(event, body)

    client.on("*", on_any, namespace="/local_files")
    await client.connect(
        installation.status_url,
        auth={"token": token.strip()},
        namespaces=["/local_files"],
        transports=["websocket"],
    )
    try:
        answer = await client.call("subscribe", {}, namespace="/local_files")
        if not answer["ok"]:
            raise RuntimeError(f"not subscribed: {answer}")
        yield
    finally:
        await client.disconnect()
