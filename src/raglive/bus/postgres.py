"""The bus over Postgres: LISTEN and NOTIFY on connections of its own."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from types import TracebackType
from typing import Self

import asyncpg
import orjson
import structlog

from raglive.bus.messages import Hint, Live, Message, Reconnected
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.wire import WireLiveEvent

__all__ = ["Hint", "Live", "Message", "PostgresBus", "Reconnected"]

log = structlog.get_logger()

HEAD_CHANNEL = "raglive_head"
LIVE_CHANNEL = "raglive_live"
MAX_PAYLOAD_BYTES = 7900  # Postgres refuses 8000
MAX_LIVE_WAITING = 1000
CONNECT_SECONDS = 5.0
KEEP_ALIVE_SECONDS = 10.0
POLL_SECONDS = 0.25
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0

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
    def silent_seconds(self) -> float:
        """The time since a listener's connection last answered; infinite while it is lost."""
        return asyncio.get_running_loop().time() - self._heard_at

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
        """Yield messages without end: `Reconnected` at the start and after each outage.

        Without `live`, conflated events are left out. Iterate within `contextlib.aclosing`, which
        closes the connection.
        """
        channels = (HEAD_CHANNEL, LIVE_CHANNEL) if live else (HEAD_CHANNEL,)
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                async with (
                    self._connected() as connection,
                    aclosing(self._read(connection, channels)) as messages,
                ):
                    async for message in messages:
                        pause = FIRST_PAUSE_SECONDS
                        yield message
            except _LOST as error:
                self._heard_at = float("-inf")
                log.warning("bus_lost", error=type(error).__name__, retry_in_seconds=pause)
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 - not a secret
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

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

    def _read(
        self, connection: _Connection, channels: Sequence[str]
    ) -> AsyncGenerator[Message, None]:
        if self._listens:
            return _listened(connection, channels, self._hear)
        return _polled(connection, self._hear)

    def _hear(self) -> None:
        self._heard_at = asyncio.get_running_loop().time()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[_Connection]:
        connection = await self._connect("bus listener")
        try:
            yield connection
        finally:
            await _close(connection)

    async def _connect(self, name: str) -> _Connection:
        return await asyncpg.connect(
            self._dsn,
            timeout=CONNECT_SECONDS,
            command_timeout=CONNECT_SECONDS,
            statement_cache_size=0,
            server_settings={"application_name": f"raglive {name}"},
        )


class _Inbox:
    """A bounded queue of arrivals: hints are merged, and the oldest live events are dropped."""

    def __init__(self) -> None:
        self.lost = False
        self._hints: dict[int, int] = {}
        self._live: deque[Live] = deque(maxlen=MAX_LIVE_WAITING)
        self._filled = asyncio.Event()

    def take(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        try:
            if channel == HEAD_CHANNEL:
                key, seq = map(int, str(payload).split(":"))
                self._hints[key] = max(seq, self._hints.get(key, 0))
            else:
                self._live.append(Live(_event_list(payload)))
        except ValueError:
            log.warning("bus_payload_ignored", channel=channel)
        self._filled.set()

    def lose(self, _connection: object) -> None:
        self.lost = True
        self._filled.set()

    def drain(self) -> Iterator[Message]:
        self._filled.clear()
        hints, self._hints = self._hints, {}
        yield from (Hint(key, seq) for key, seq in hints.items())
        while self._live:
            yield self._live.popleft()

    async def filled(self, within_seconds: float) -> bool:
        try:
            async with asyncio.timeout(within_seconds):
                await self._filled.wait()
        except TimeoutError:
            return False
        return True


async def _listened(
    connection: _Connection, channels: Sequence[str], heard: Callable[[], None]
) -> AsyncGenerator[Message, None]:
    inbox = _Inbox()
    connection.add_termination_listener(inbox.lose)
    for channel in channels:
        await connection.add_listener(channel, inbox.take)
    yield Reconnected()
    while not inbox.lost:
        heard()
        for message in inbox.drain():
            yield message
        if not await inbox.filled(KEEP_ALIVE_SECONDS):
            await connection.execute("SELECT 1")
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


def _event_list(payload: object) -> list[dict[str, object]]:
    events = orjson.loads(str(payload))
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise ValueError("not a list of events")
    return events


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
