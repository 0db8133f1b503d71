"""`raglive dashboard`: the dashboard server."""

from __future__ import annotations

from collections.abc import Awaitable

from raglive.app.dashboard_server import run_dashboard
from raglive.app.installation import find_installation
from raglive.cli.running import Parent, serve
from raglive.local_stack.ports import require_free_port
from raglive.settings import Settings

__all__ = ["dashboard"]


def dashboard(parent: Parent = None) -> None:
    """Run the dashboard server: the web app and its API on port 3000."""
    serve(_serve, parent)


async def _serve(settings: Settings, stop: Awaitable[None]) -> None:
    require_free_port(
        settings.host,
        settings.dashboard_port,
        setting="RAGLIVE_DASHBOARD_PORT",
        purpose="the dashboard server",
    )
    await run_dashboard(find_installation(settings), stop)
