"""The bus over Redis, for several status servers; Postgres carries what Redis does not.

Hints stay with Postgres, which sends them with each commit, whoever commits. Redis carries the
conflated events, which are most of the messages. While Redis does not answer, they go through
Postgres too, and every listener listens to both.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager

import orjson
import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from raglive.bus.bus import Message, Reconnected
from raglive.bus.listening import Inbox, listen_again
from raglive.bus.postgres import PostgresBus
from raglive.bus.redis_client import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    REDIS_LOST,
    RedisConnection,
    connect,
)
from raglive_contract.wire import WireLiveEvent

__all__ = ["RedisBus"]

log = structlog.get_logger()

ECHO_SECONDS = 1.0
DEAF_SECONDS = 4.0
RETRY_SECONDS = 2.0  # until then everything is sent over Postgres
NAME = "redis"


class RedisBus:
    """Sends and listens to the processes with the same `installation`; close it after use.

    It closes `postgres` too.
    """

    def __init__(self, url: str, installation: str, postgres: PostgresBus) -> None:
        self._url = url
        self._channel = f"raglive:{installation}:live"
        self._postgres = postgres
        self._sender: RedisConnection | None = None
        self._sender_lost_at = float("-inf")
        self._heard_at = float("-inf")

    @property
    def silent_seconds(self) -> Mapping[str, float]:
        """As in `Bus`."""
        return {NAME: _now() - self._heard_at, **self._postgres.silent_seconds}

    async def close(self) -> None:
        """As in `Bus`."""
        await self._drop_sender()
        await self._postgres.close()

    async def listen(self, *, live: bool = True) -> AsyncGenerator[Message, None]:
        """As in `Bus`."""
        listening = [self._postgres.listen(live=live)]
        if live:
            listening.append(listen_again(self._session, REDIS_LOST, NAME, self._lose))
        async with _merged(listening) as arrived:
            while True:
                message = await arrived.get()
                if isinstance(message, Exception):
                    raise message
                yield message

    async def send(self, events: Sequence[WireLiveEvent]) -> None:
        """As in `Bus`."""
        if events and not await self._publish(orjson.dumps(events)):
            await self._postgres.send(events)

    async def _publish(self, payload: bytes) -> bool:
        """Return whether Redis has taken a message."""
        if _now() < self._sender_lost_at + RETRY_SECONDS:
            return False
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if self._sender is None:
                    self._sender = connect(self._url)
                await self._sender.redis.publish(self._channel, payload)
        except REDIS_LOST as error:
            self._sender_lost_at = _now()
            log.warning("redis_lost", error=type(error).__name__, instead="postgres")
            await self._drop_sender()
            return False
        return True

    async def _drop_sender(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            await sender.close()

    async def _session(self) -> AsyncGenerator[Message, None]:
        """Yield what arrives until Redis is lost.

        A message to itself every second proves that messages arrive: a subscriber can be lost
        without an error.
        """
        connection = connect(self._url)
        try:
            async with connection.redis.pubsub(ignore_subscribe_messages=True) as subscriber:
                echo = f"raglive:echo:{secrets.token_hex(8)}"
                async with asyncio.timeout(CONNECT_SECONDS):
                    await subscriber.subscribe(self._channel, echo)
                yield Reconnected()
                async for message in self._received(connection.redis, subscriber, echo):
                    yield message
        finally:
            await connection.close()

    async def _received(
        self, client: Redis, subscriber: PubSub, echo: str
    ) -> AsyncGenerator[Message, None]:
        inbox = Inbox()
        echo_due_at, heard_at = _now(), _now()
        while _now() < heard_at + DEAF_SECONDS:
            if _now() >= echo_due_at:
                echo_due_at = _now() + ECHO_SECONDS
                async with asyncio.timeout(ANSWER_SECONDS):
                    await client.publish(echo, b"")
            arrived = await subscriber.get_message(timeout=max(0.0, echo_due_at - _now()))
            if arrived is None:
                continue
            if arrived["channel"].decode() == echo:
                heard_at = self._heard_at = _now()
            else:
                inbox.add_live(arrived["data"])
            for message in inbox.drain():
                yield message
        raise ConnectionResetError("messages do not arrive")

    def _lose(self) -> None:
        self._heard_at = float("-inf")


@asynccontextmanager
async def _merged(
    sources: Sequence[AsyncGenerator[Message, None]],
) -> AsyncIterator[asyncio.Queue[Message | Exception]]:
    """Run endless sources at once; a source waits until its last message was taken."""
    arrived: asyncio.Queue[Message | Exception] = asyncio.Queue(maxsize=1)

    async def forward(source: AsyncGenerator[Message, None]) -> None:
        try:
            async with aclosing(source):
                async for message in source:
                    await arrived.put(message)
        except Exception as error:
            await arrived.put(error)

    tasks = [asyncio.create_task(forward(source), name="bus") for source in sources]
    try:
        yield arrived
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _now() -> float:
    return asyncio.get_running_loop().time()
