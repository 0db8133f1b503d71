"""Clients of Redis: of one server, of a node of a cluster, or of what Sentinel names."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

__all__ = [
    "ANSWER_SECONDS",
    "CONNECT_SECONDS",
    "REDIS_LOST",
    "RedisConnection",
    "check_redis",
    "connect",
]

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 2.0
SENTINEL_PORT = 26379

REDIS_LOST = (OSError, TimeoutError, RedisError)


@dataclass(frozen=True, slots=True)
class RedisConnection:
    """A client, and what finds its server."""

    redis: Redis
    sentinel: Sentinel | None = None

    async def close(self) -> None:
        """Close both; an error is of no interest."""
        for client in (self.redis, self.sentinel):
            if client is not None:
                with suppress(*REDIS_LOST):
                    async with asyncio.timeout(ANSWER_SECONDS):
                        await client.aclose()


def connect(url: str) -> RedisConnection:
    """Make a client of a usable address; it connects with its first command.

    Every node of a cluster passes messages on to all nodes, so any node will do.
    """
    options: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": ANSWER_SECONDS,
        "retry": Retry(NoBackoff(), 0),
        "client_name": "raglive",
    }
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    query = f"?{parts.query}" if parts.query else ""
    if not parts.scheme.endswith("+sentinel"):
        host = random.choice(hosts.split(","))  # noqa: S311 - not a secret
        return RedisConnection(
            Redis.from_url(f"{parts.scheme}://{user}{at}{host}{parts.path}{query}", **options)
        )
    return _through_sentinel(parts, user + at, hosts.split(","), options)


async def check_redis(url: str) -> str:
    """Return the server's version, after a message has arrived.

    Raises OSError, TimeoutError or RedisError.
    """
    connection = connect(url)
    try:
        async with asyncio.timeout(CONNECT_SECONDS + ANSWER_SECONDS):
            async with connection.redis.pubsub(ignore_subscribe_messages=True) as subscriber:
                channel = f"raglive:echo:{secrets.token_hex(8)}"
                await subscriber.subscribe(channel)
                await connection.redis.publish(channel, b"")
                while await subscriber.get_message(timeout=ANSWER_SECONDS) is None:
                    pass
            return str((await connection.redis.info("server"))["redis_version"])
    finally:
        await connection.close()


def _through_sentinel(
    parts: SplitResult, user: str, hosts: Sequence[str], options: dict[str, Any]
) -> RedisConnection:
    """Make a client of the server that Sentinel names, each time that it connects."""
    service, _, number = parts.path.removeprefix("/").partition("/")
    scheme = parts.scheme.removesuffix("+sentinel")
    given: dict[str, Any] = {**parse_url(f"{scheme}://{user}unused/{number or 0}?{parts.query}")}
    of_sentinel = {name: value for name, value in given.items() if name.startswith("ssl_")}
    of_sentinel |= {"password": given.pop("sentinel_password", None), **options}
    del given["host"]
    if given.pop("connection_class", None) is not None:
        given["ssl"] = of_sentinel["ssl"] = True
    places = [urlsplit(f"//{host}") for host in hosts]
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        [(place.hostname or "localhost", place.port or SENTINEL_PORT) for place in places],
        sentinel_kwargs=of_sentinel,
        **given,
        **options,
    )
    return RedisConnection(sentinel.master_for(unquote(service)), sentinel)
