"""The bus over Postgres: LISTEN and NOTIFY on connections of its own."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Self

import asyncpg
import orjson
import structlog

from raglive.bus.bus import Hint, Message, Reconnected
from raglive.bus.listening import Inbox, listen_again
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.wire import WireLiveEvent

__all__ = ["PostgresBus"]

log = structlog.get_logger()

HEAD_CHANNEL = "raglive_head"
LIVE_CHANNEL = "raglive_live"
MAX_PAYLOAD_BYTES = 7900  # Postgres refuses 8000
CONNECT_SECONDS = 5.0
ECHO_SECONDS = 2.0
ANSWER_SECONDS = 2.0
POLL_SECONDS = 0.25
NAME = "postgres"

_LOST = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError)

_Connection = asyncpg.Connection


class PostgresBus:
    """Sends to and listens for other processes of the same database; close it after use.

    Without lasting sessions (`listens` false: a transaction pooler), heads are polled every 250 ms
    instead, and conflated events of other processes do not arrive.
    """

    def __init__(self, dsn: str, *, listens: bool = True) -> None:
        self._dsn = dsn
        self._listens = listens
        self._sender: _Connection | None = None
        self._sending = asyncio.Lock()
        self._heard_at = float("-inf")

    @property
    def silent_seconds(self) -> Mapping[str, float]:
        """As in `Bus`."""
        return {NAME: asyncio.get_running_loop().time() - self._heard_at}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the sending connection; a listener is closed by its consumer."""
        async with self._sending:
            sender, self._sender = self._sender, None
            if sender is not None:
                await _close(sender)

    async def listen(self, *, live: bool = True) -> AsyncGenerator[Message, None]:
        """As in `Bus`."""
        channels = (HEAD_CHANNEL, LIVE_CHANNEL) if live else (HEAD_CHANNEL,)
        async with aclosing(
            listen_again(lambda: self._session(channels), _LOST, NAME, self._lose)
        ) as messages:
            async for message in messages:
                yield message

    async def send(self, events: Sequence[WireLiveEvent]) -> None:
        """Send conflated events to every listener; raise `unavailable` if the database is away.

        An event too large for a notification is dropped: the database holds its latest value.
        """
        payloads = list(_payloads(events))
        if not payloads:
            return
        async with self._sending:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await self._notify(payloads)
            except _LOST as error:
                await self._drop_sender()
                raise RagliveError(
                    f"Live events could not be sent: the database does not answer "
                    f"({type(error).__name__}).",
                    code=ErrorCode.UNAVAILABLE,
                    retryable=True,
                ) from error

    async def _notify(self, payloads: list[str]) -> None:
        if self._sender is None or self._sender.is_closed():
            self._sender = await self._connect("bus sender")
        await self._sender.execute(
            "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS sent (payload)",
            LIVE_CHANNEL,
            payloads,
        )

    async def _drop_sender(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.terminate()

    async def _session(self, channels: Sequence[str]) -> AsyncGenerator[Message, None]:
        connection = await self._connect("bus listener")
        try:
            reading = (
                _listened(connection, channels, self._hear)
                if self._listens
                else _polled(connection, self._hear)
            )
            async with aclosing(reading) as messages:
                async for message in messages:
                    yield message
        finally:
            await _close(connection)

    def _hear(self) -> None:
        self._heard_at = asyncio.get_running_loop().time()

    def _lose(self) -> None:
        self._heard_at = float("-inf")

    async def _connect(self, name: str) -> _Connection:
        return await asyncpg.connect(
            self._dsn,
            timeout=CONNECT_SECONDS,
            command_timeout=CONNECT_SECONDS,
            statement_cache_size=0,
            server_settings={"application_name": f"raglive {name}"},
        )


async def _listened(
    connection: _Connection, channels: Sequence[str], heard: Callable[[], None]
) -> AsyncGenerator[Message, None]:
    """Yield what arrives. A notification to itself proves every two seconds that something does."""
    inbox = Inbox()
    echo = f"raglive_echo_{secrets.token_hex(8)}"
    is_echoed = True

    def take(_connection: object, _pid: int, channel: str, payload: object) -> None:
        nonlocal is_echoed
        if channel == HEAD_CHANNEL:
            inbox.add_head(str(payload))
        elif channel == LIVE_CHANNEL:
            inbox.add_live(str(payload))
        else:
            is_echoed = True
            heard()

    connection.add_termination_listener(lambda _connection: inbox.lose())
    for channel in (*channels, echo):
        await connection.add_listener(channel, take)
    yield Reconnected()
    loop = asyncio.get_running_loop()
    due_at = loop.time()
    while not inbox.lost:
        if loop.time() >= due_at:
            if not is_echoed:
                raise ConnectionResetError("notifications do not arrive")
            is_echoed = False
            due_at = loop.time() + ECHO_SECONDS
            await connection.execute("SELECT pg_notify($1, '')", echo, timeout=ANSWER_SECONDS)
        for message in inbox.drain():
            yield message
        await inbox.filled(due_at - loop.time())
    raise ConnectionResetError("the listening connection was closed")


async def _polled(
    connection: _Connection, heard: Callable[[], None]
) -> AsyncGenerator[Message, None]:
    known: dict[int, int] = {}
    log.info("bus_polls", reason="a transaction pooler keeps no session for LISTEN")
    yield Reconnected()
    while True:
        heard()
        rows = await connection.fetch("SELECT pipeline_key, seq FROM raglive.heads")
        heads = {row["pipeline_key"]: row["seq"] for row in rows}
        for key, seq in heads.items():
            if known.get(key) != seq:
                yield Hint(key, seq)
        known = heads
        await asyncio.sleep(POLL_SECONDS)


async def _close(connection: _Connection) -> None:
    try:
        await connection.close(timeout=2)
    except _LOST:
        connection.terminate()


def _payloads(events: Sequence[WireLiveEvent]) -> Iterator[str]:
    """Pack events into JSON arrays that a notification can carry."""
    packed: list[bytes] = []
    size = 2
    for event in events:
        encoded = orjson.dumps(event)
        if len(encoded) + 2 > MAX_PAYLOAD_BYTES:
            log.warning("bus_event_too_large", type=event["type"], bytes=len(encoded))
            continue
        if size + len(encoded) + 1 > MAX_PAYLOAD_BYTES and packed:
            yield _array(packed)
            packed, size = [], 2
        packed.append(encoded)
        size += len(encoded) + 1
    if packed:
        yield _array(packed)


def _array(encoded: list[bytes]) -> str:
    return (b"[" + b",".join(encoded) + b"]").decode()
