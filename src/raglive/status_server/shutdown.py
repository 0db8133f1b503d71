"""How a server goes: viewers are told when to come back, and closed one after the other."""

from __future__ import annotations

import random

from raglive.status_server.subscriptions.rooms import Audience
from raglive.status_server.transport.socketio_server import SocketServer
from raglive_contract.socket import ServerDraining

__all__ = ["Departure"]

RETURN_AFTER_MS = 100
RETURN_MS_PER_VIEWER = 5


class Departure:
    """The server's end; who is told to come back first is closed first, and before it is time.

    All are closed within `seconds`, whatever they are told: the more there are, the denser.
    """

    def __init__(self, audience: Audience, sockets: SocketServer, seconds: float) -> None:
        self._audience = audience
        self._sockets = sockets
        self._seconds = seconds
        self.has_begun = False

    async def take(self) -> None:
        """Let everybody go, and nobody in; may be called again."""
        self.has_begun = True
        viewers = self._audience.everyone()
        longest = RETURN_AFTER_MS + RETURN_MS_PER_VIEWER * len(viewers)
        pace = min(1.0, self._seconds * 1000 / longest)
        closing_after: dict[str, float] = {}
        for viewer in viewers:
            retry_in = random.randint(RETURN_AFTER_MS, longest)  # noqa: S311 - not a secret
            notice = ServerDraining(retry_in=retry_in).model_dump_json().encode()
            self._audience.send(viewer, "server:draining", notice)
            after = pace * retry_in / 1000
            closing_after[viewer.engine_sid] = max(after, closing_after.get(viewer.engine_sid, 0))
        await self._sockets.expel_all(closing_after)
