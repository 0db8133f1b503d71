"""Graceful shutdown: viewers are told when to reconnect, and closed in that order."""

from __future__ import annotations

import random

from raglive.status_server.subscriptions.rooms import Rooms
from raglive.status_server.transport.socketio_server import SocketServer
from raglive_contract.socket import ServerDraining

__all__ = ["GracefulShutdown"]

RETRY_AFTER_MS = 100
RETRY_MS_PER_VIEWER = 5


class GracefulShutdown:
    """Drains the server within `seconds`.

    Each viewer gets a random time to reconnect, so that they do not return all at once, and is
    closed before that time. The more viewers there are, the closer together they are closed.
    """

    def __init__(self, rooms: Rooms, sockets: SocketServer, seconds: float) -> None:
        self._rooms = rooms
        self._sockets = sockets
        self._seconds = seconds
        self.is_draining = False

    async def drain(self) -> None:
        """Refuse new connections and close all others; may be called again."""
        self.is_draining = True
        viewers = self._rooms.everyone()
        longest = RETRY_AFTER_MS + RETRY_MS_PER_VIEWER * len(viewers)
        pace = min(1.0, self._seconds * 1000 / longest)
        delays: dict[str, float] = {}
        for viewer in viewers:
            retry_in = random.randint(RETRY_AFTER_MS, longest)  # noqa: S311 - not a secret
            notice = ServerDraining(retry_in=retry_in).model_dump_json().encode()
            self._rooms.send(viewer, "server:draining", notice)
            delay = pace * retry_in / 1000
            delays[viewer.engine_sid] = max(delay, delays.get(viewer.engine_sid, 0))
        await self._sockets.close_all(delays)
