"""Shows out who may not stay, who gives no answer, and who goes on after being told to wait."""

from __future__ import annotations

import asyncio

import structlog

from raglive.status_server.background import Tasks
from raglive.status_server.metrics import StatusMetrics
from raglive.status_server.sessions.registry import Door
from raglive.status_server.subscriptions.rooms import Audience, Viewer
from raglive.status_server.transport.socketio_server import SocketServer
from raglive_contract.errors import ErrorBody, RagliveError
from raglive_contract.socket import ServerClosing

__all__ = ["Doorkeeper"]

log = structlog.get_logger()

CHECK_SECONDS = 0.5


class Doorkeeper:
    """Ends connections, and says why to those who still listen."""

    def __init__(
        self,
        door: Door,
        audience: Audience,
        sockets: SocketServer,
        tasks: Tasks,
        metrics: StatusMetrics,
        *,
        warning_seconds: float,
        handshake_seconds: float,
    ) -> None:
        self._door = door
        self._audience = audience
        self._sockets = sockets
        self._tasks = tasks
        self._metrics = metrics
        self._warning_seconds = warning_seconds
        self._handshake_seconds = handshake_seconds

    async def run(self) -> None:
        """Look after the door until cancelled."""
        while True:
            self.end_unwelcome()
            self._door.warn(self._warning_seconds)
            occupied = {viewer.engine_sid for viewer in self._audience.everyone()}
            await self._sockets.end_bare(occupied, self._handshake_seconds)
            await asyncio.sleep(CHECK_SECONDS)

    def end_unwelcome(self) -> None:
        """End the connections of those who must leave."""
        for viewer, error in list(self._door.must_leave()):
            self._door.refused(viewer.sid, "stay", error)
            self._end(viewer, error)

    def give_up(self, viewer: Viewer, error: RagliveError) -> None:
        """Say why, and close the connection with all its namespaces."""
        self._end(viewer, error)
        self._tasks.start(self._sockets.part(viewer.engine_sid), "part")

    def drop(self, viewer: Viewer) -> None:
        """Close the connection of a viewer that does not read."""
        log.warning("viewer_too_slow", connection=viewer.sid)
        self._audience.dismiss(viewer.sid)
        self._metrics.slow.inc()
        self._tasks.start(self._sockets.expel(viewer.engine_sid), "expel")

    def _end(self, viewer: Viewer, error: RagliveError) -> None:
        """Say why, and close the connection to the namespace."""
        closing = ServerClosing(error=ErrorBody(**error.body()))
        self._audience.send(viewer, "server:closing", closing.model_dump_json().encode())
        self._audience.dismiss(viewer.sid)
        ending = self._sockets.disconnect(viewer.sid, namespace=viewer.namespace)
        self._tasks.start(ending, "disconnect")
