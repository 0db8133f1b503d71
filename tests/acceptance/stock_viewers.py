"""Stock python-socketio clients that follow a log, through reconnections."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import socketio
from aiohttp.abc import AbstractResolver, ResolveResult

__all__ = ["StockViewer", "following"]

EVERY_PIPELINE = "/pipelines"


class StockViewer:
    """Follows every pipeline; `seqs` are those of its events, in order."""

    def __init__(self, url: str, token: str, transports: Sequence[str]) -> None:
        self.url = url
        self.transports = transports
        self.connections = 0
        self.seqs: list[int] = []
        self._token = token
        self._cursor = "-1"
        self._changed = asyncio.Event()
        connector = aiohttp.TCPConnector(resolver=_ThisMachine(), ssl=False)
        self._session = aiohttp.ClientSession(connector=connector)
        self.client = socketio.AsyncClient(
            http_session=self._session, reconnection_delay=0.2, reconnection_delay_max=1
        )
        self.client.on("connect", self._subscribe, namespace=EVERY_PIPELINE)
        self.client.on("*", self._take, namespace=EVERY_PIPELINE)

    @property
    def server(self) -> str:
        """The name of the server of its session."""
        return str(self.client.eio.sid).split(".")[1]

    async def connect(self) -> None:
        """Connect; later, it connects again by itself."""
        await self.client.connect(
            self.url,
            auth={"token": self._token},
            namespaces=[EVERY_PIPELINE],
            transports=list(self.transports),
            wait_timeout=10,
        )

    async def close(self) -> None:
        """Close it."""
        await self.client.disconnect()
        await self._session.close()

    async def until_seq(self, seq: int, within_seconds: float) -> None:
        """Wait for an event; every event before it came once, in order."""
        async with asyncio.timeout(within_seconds):
            while self.seqs[-1:] != [seq]:
                self._changed.clear()
                await self._changed.wait()
        assert self.seqs == list(range(1, seq + 1))

    async def _subscribe(self) -> None:
        self.connections += 1
        answer = await self.client.call(
            "subscribe", {"cursor": self._cursor}, namespace=EVERY_PIPELINE
        )
        assert answer["ok"], answer

    async def _take(self, _kind: str, event: dict[str, Any]) -> None:
        if "seq" in event:
            self._cursor = event["cursor"]
            self.seqs.append(event["seq"])
            self._changed.set()


@asynccontextmanager
async def following(
    urls: Sequence[str], token: str, each: int, transports: Sequence[str]
) -> AsyncIterator[list[StockViewer]]:
    """Connect several viewers by each address."""
    viewers = [StockViewer(url, token, transports) for url in urls for _ in range(each)]
    try:
        for viewer in viewers:
            await viewer.connect()
        yield viewers
    finally:
        for viewer in viewers:
            await viewer.close()


class _ThisMachine(AbstractResolver):
    """Finds every host on loopback."""

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        pass
