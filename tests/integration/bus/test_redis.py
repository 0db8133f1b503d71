"""Faults of Redis: Postgres carries on, the silence shows, and Redis comes back by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from raglive.bus.postgres import PostgresBus
from raglive.bus.redis import RedisBus
from raglive.bus.redis_client import check_redis
from raglive.store.registry.pipelines import PipelineRecord
from tests.redis_server import RedisServer, running_redis, running_sentinel
from tests.relay import Relay

from .following import delivers, listening, numbered

NOTICED_SECONDS = 5.0


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    async with running_redis() as server:
        yield server


async def is_silent(bus: RedisBus, since: float) -> None:
    """Wait until the silence of Redis shows, which is soon after `since`."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(15):
        while bus.silent_seconds["redis"] < NOTICED_SECONDS:
            await asyncio.sleep(0.02)
    assert loop.time() - since < NOTICED_SECONDS + 1


async def suspended(server: RedisServer) -> Callable[[], Awaitable[None]]:
    server.suspend()

    async def resume() -> None:
        server.resume()

    return resume


async def killed(server: RedisServer) -> Callable[[], Awaitable[None]]:
    await server.kill()
    return server.start


@pytest.mark.parametrize("fault", [suspended, killed])
async def test_without_redis_postgres_carries_everything(
    fault: Callable[[RedisServer], Awaitable[Callable[[], Awaitable[None]]]],
    dsn: str,
    redis: RedisServer,
    pipeline: PipelineRecord,
) -> None:
    bus = RedisBus(redis.url, "test", PostgresBus(dsn))
    async with listening(bus) as heard:
        await bus.send([numbered(1)])
        await heard.until(lambda: heard.numbers == [1])
        mend = await fault(redis)
        since = asyncio.get_running_loop().time()
        await bus.send([numbered(2)])
        await pipeline.announce_online(60, "/documents")
        await heard.until(lambda: heard.numbers == [1, 2] and heard.hints != [])
        await is_silent(bus, since)
        assert bus.silent_seconds["postgres"] < NOTICED_SECONDS
        await mend()
        await delivers(bus)
        await bus.send([numbered(3)])
        await heard.until(lambda: heard.numbers[-1] == 3)
    await bus.close()


async def test_a_deaf_subscriber_is_noticed_and_replaced(dsn: str, redis: RedisServer) -> None:
    """The connection stays open and commands are answered, but nothing is delivered."""
    bus = RedisBus(redis.url, "test", PostgresBus(dsn))
    async with listening(bus) as heard:
        before = heard.connections
        await redis.command("CLIENT", "KILL", "TYPE", "pubsub")
        await heard.until(lambda: heard.connections == before + 1)
        await redis.command("FLUSHALL")
        await redis.command("CONFIG", "SET", "maxmemory", "1")
        await redis.command("CLIENT", "PAUSE", "1000", "ALL")
        await bus.send([numbered(1)])
        await heard.until(lambda: heard.numbers == [1])
    await bus.close()


async def test_a_connection_without_an_answer_is_replaced(dsn: str, redis: RedisServer) -> None:
    async with Relay(redis.url) as relay:
        bus = RedisBus(relay.dsn, "test", PostgresBus(dsn))
        async with listening(bus) as heard:
            relay.stall()
            await is_silent(bus, asyncio.get_running_loop().time())
            await relay.restore()
            await delivers(bus)
            await bus.send([numbered(1)])
            await heard.until(lambda: 1 in heard.numbers)
        await bus.close()


async def test_installations_do_not_hear_each_other(dsn: str, redis: RedisServer) -> None:
    ours, theirs = (RedisBus(redis.url, name, PostgresBus(dsn)) for name in ("ours", "theirs"))
    async with listening(ours) as heard:
        await theirs.send([numbered(1)])
        await ours.send([numbered(2)])
        await heard.until(lambda: 2 in heard.numbers)
    assert heard.numbers == [2]
    await ours.close()
    await theirs.close()


async def test_it_follows_sentinel_to_another_server(dsn: str) -> None:
    async with (
        running_redis("--repl-diskless-sync-delay", "0") as redis,
        running_redis("--replicaof", "127.0.0.1", str(redis.port)) as replica,
        running_sentinel(redis, "messages") as sentinel,
    ):
        await until_answer(replica, "'master_link_status': 'up'", "INFO", "replication")
        await until_answer(sentinel, "'slaves': 1", "INFO", "sentinel")
        url = f"redis+sentinel://127.0.0.1:1,{sentinel.place}/messages"
        bus = RedisBus(url, "test", PostgresBus(dsn))
        async with listening(bus) as heard:
            await redis.kill()
            await until_answer(replica, "'role': 'master'", "INFO", "replication")
            await delivers(bus)
            await until_answer(replica, "raglive:test:live", "PUBSUB", "CHANNELS")
            await bus.send([numbered(1)])
            await heard.until(lambda: heard.numbers == [1])
        await bus.close()


async def test_any_node_of_a_cluster_reaches_all(dsn: str) -> None:
    async with running_redis(cluster=True) as first, running_redis(cluster=True) as second:
        await first.meet(second)
        for node, other in ((first, second), (second, first)):
            await until_answer(node, f"{other.place}@", "CLUSTER", "NODES")
        sender = RedisBus(first.url, "test", PostgresBus(dsn))
        bus = RedisBus(f"{second.url},{second.place}", "test", PostgresBus(dsn))
        async with listening(bus) as heard:
            await sender.send([numbered(1)])
            await heard.until(lambda: heard.numbers == [1])
        await bus.close()
        await sender.close()


async def test_a_password_over_tls(dsn: str, tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    await make_certificate(certificate, key)
    tls = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key))
    options = ("--tls-auth-clients", "no", *tls)
    async with running_redis(*options, password="p@ss/word", tls=True) as server:
        url = f"rediss://:p%40ss%2Fword@{server.tls_place}/0?ssl_ca_certs={certificate}"
        assert (await check_redis(url)).startswith("7.")
        with pytest.raises(RedisError):
            await check_redis(url.replace("word", "wrong"))
        with pytest.raises((OSError, RedisError)):
            await check_redis(f"rediss://:p%40ss%2Fword@{server.tls_place}")


async def make_certificate(certificate: Path, key: Path) -> None:
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-out", str(certificate), "-keyout", str(key))
    process = await asyncio.create_subprocess_exec(
        *command.split(), *names, *files, stderr=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0


async def until_answer(server: RedisServer, expected: str, *command: str) -> None:
    """Repeat a command until the answer contains a text."""
    async with asyncio.timeout(15):
        while expected not in str(await server.command(*command)):
            await asyncio.sleep(0.05)
