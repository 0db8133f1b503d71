"""A network between a program and a server, which can be cut or can stop transferring."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

__all__ = ["AbortingRelay", "Relay"]


class Relay:
    """Forwards bytes to `address`; an async context manager.

    `cut` closes open connections and refuses new ones; `stall` drops all bytes.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._parts = urlsplit(dsn)
        self._server: asyncio.Server | None = None
        self._port = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    @property
    def dsn(self) -> str:
        """The address of the server, through the relay."""
        user, at, _ = self._parts.netloc.rpartition("@")
        place = f"{user}{at}127.0.0.1:{self._port}"
        return urlunsplit(self._parts._replace(netloc=place))

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.cut()

    async def restore(self) -> None:
        """Accept connections and forward bytes again."""
        self._flowing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._pass, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Close every connection, and refuse new ones."""
        self._flowing.set()
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in list(self._open):
            writer.transport.abort()

    def stall(self) -> None:
        """Keep every connection open, and forward nothing."""
        self._flowing.clear()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with suppress(OSError):
            host, port = self._parts.hostname, self._parts.port
            far_reader, far_writer = await asyncio.open_connection(host, port)
            self._open.add(far_writer)
            ways = (self._copy(reader, far_writer), self._copy(far_reader, writer))
            await asyncio.gather(*ways)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while received := await reader.read(65536):
                await self._flowing.wait()
                writer.write(received)
                await writer.drain()
        self._open.discard(writer)
        writer.transport.abort()


class AbortingRelay(Relay):
    """A relay that closes a client's connection when the server closes its own."""

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await super()._pass(reader, writer)
        writer.transport.abort()
