"""`raglive server`: the status server."""

from __future__ import annotations

from collections.abc import Awaitable

from raglive.app.installation import find_installation
from raglive.app.status_server import run_status_server
from raglive.cli.running import Parent, serve
from raglive.local_stack.ports import require_free_port
from raglive.settings import Settings

__all__ = ["server"]


def server(parent: Parent = None) -> None:
    """Run the status server: Socket.IO and HTTP on port 8103."""
    serve(_serve, parent)


async def _serve(settings: Settings, stop: Awaitable[None]) -> None:
    require_free_port(
        settings.host, settings.status_port, setting="SOCKET_IO_PORT", purpose="the status server"
    )
    await run_status_server(find_installation(settings), stop)
