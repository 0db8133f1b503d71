"""Runs a status server in its own process, until its standard input ends."""

from __future__ import annotations

import asyncio
import sys

import uvloop

from raglive.app.bus import open_bus
from raglive.app.embedder import search_config
from raglive.app.serving import serve_http
from raglive.app.status_server import status_server_config
from raglive.search.service import SearchService
from raglive.settings import read_settings
from raglive.status_server.server import StatusServer
from raglive.store.pool import Database
from tests.integration.status_server.serving import TOKENS


async def main(dsn: str, port: str, redis_url: str) -> None:
    database = await Database.connect(dsn, name="status server")
    settings = read_settings({"SOCKET_IO_PORT": port, "REDIS_URL": redis_url})
    search = SearchService(database, search_config(settings))
    async with open_bus(settings, database) as bus:
        status = StatusServer(status_server_config(settings), database, TOKENS, search, bus)
        stop = status.until_drained(input_ends())
        await serve_http(status.asgi, "127.0.0.1", int(port), stop, max_connections=20_000)
    await database.close()


async def input_ends() -> None:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    await reader.read()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
