"""Outages of the database, the server and the pipelines."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
import socketio

from raglive.local_stack.embedded_postgres import EmbeddedPostgres
from raglive.status_server.timeouts import Timeouts
from raglive.store.errors import DATABASE_ERRORS
from raglive.store.log.event_log import EventLog
from raglive.store.migrate import migrate
from raglive.store.pool import Database
from raglive_contract.permissions import Role
from tests.integration.status_server.serving import (
    Serving,
    free_port,
    online,
    publish,
    serving,
    spawn,
    token,
    update,
)
from tests.integration.status_server.watching import Viewer, checker_of, cursor_of, watching

PIPELINE = "local-files-pipeline"
SECONDS = 30


async def test_a_killed_database_loses_no_event(tmp_path: Path) -> None:
    restarted = asyncio.Event()

    async def on_restart() -> None:
        restarted.set()

    async with EmbeddedPostgres(tmp_path, password="tests", on_restart=on_restart) as postgres:
        supervision = asyncio.create_task(postgres.supervise())
        await migrate(postgres.dsn)
        database = await Database.connect(postgres.dsn, name="test")
        await publish(database, [online()])
        async with serving(database) as server, watching(server.url) as viewer:
            checker = checker_of((await viewer.subscribe())[0])
            await publish(database, [update(), update()])
            assert postgres.pid
            os.kill(postgres.pid, signal.SIGKILL)
            refused = await viewer.ask("subscribe", {"pipeline_id": "unknown"})
            assert not refused["ok"]
            await asyncio.wait_for(restarted.wait(), SECONDS)
            await _publish_until_accepted(database)
            async with watching(server.url) as newcomer:
                async with asyncio.timeout(SECONDS):
                    while not (answer := await newcomer.ask("subscribe"))["ok"]:
                        assert answer["error"]["retryable"]
                        await asyncio.sleep(0.05)
            await viewer.until(lambda: len(viewer.durable()) == 3)
            for event in viewer.durable():
                checker.see(event)
            [head] = await EventLog(database).heads()
            assert (checker.seq, checker.digest) == (head.seq, head.digest)
        await database.close()
    await supervision


async def _publish_until_accepted(database: Database) -> None:
    """Publish one event as a producer does: with the same id until it is accepted."""
    event = update()
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                await publish(database, [event])
            except DATABASE_ERRORS:
                await asyncio.sleep(0.05)
            else:
                return


async def test_events_during_an_outage_are_replayed_from_the_log(
    database: Database,
) -> None:
    port = free_port()
    await publish(database, [online()])
    async with serving(database, port=port) as first, watching(first.url) as viewer:
        checker = checker_of((await viewer.subscribe())[0])
        await publish(database, [update()])
        [event] = await viewer.until(viewer.durable)
        checker.see(event)
    await publish(database, [update() for _ in range(500)])
    async with serving(database, port=port) as second:
        for _ in range(5):
            async with watching(second.url) as viewer:
                [answer] = await viewer.subscribe(cursor=cursor_of([checker]), batch=True)
                assert (answer["recovered"], answer["replayed"]) == (True, 500)
                assert [event["seq"] for event in viewer.durable()] == list(range(3, 503))


async def test_fifty_viewers_are_closed_within_the_grace_period(
    database: Database,
) -> None:
    await publish(database, [online()])
    port = free_port()
    process = await spawn(database, port)
    url = f"http://127.0.0.1:{port}"
    ways = [["websocket"], ["polling"], ["polling", "websocket"]]
    viewers = [Viewer(url) for _ in range(50)]
    try:
        await asyncio.gather(
            *(viewer.connect({"token": token()}, ways[n % 3]) for n, viewer in enumerate(viewers))
        )
        await asyncio.gather(*(viewer.subscribe() for viewer in viewers))
        assert process.stdin
        assert process.stderr
        started = asyncio.get_running_loop().time()
        process.stdin.close()
        logged = await asyncio.wait_for(process.stderr.read(), SECONDS)
        await process.wait()
        assert asyncio.get_running_loop().time() - started < 5
        assert process.returncode == 0
        assert logged == b""
        for viewer in viewers:
            await viewer.until(viewer.closed.is_set)
            [notice] = viewer.of("server:draining")
            assert 0 <= notice["retry_in"] <= 1000
    finally:
        if process.returncode is None:
            process.kill()
        for viewer in viewers:
            await viewer.close()


async def test_a_draining_server_refuses_connections(server: Serving) -> None:
    async with server.client() as client:
        await server.status.drain()
        answer = await client.get("/socket.io/?EIO=4&transport=polling")
        assert (answer.status_code, answer.json()["error"]["retryable"]) == (503, True)
        for transport in ("polling", "websocket"):
            viewer = Viewer(server.url)
            with pytest.raises(socketio.exceptions.ConnectionError):
                await viewer.connect({"token": "x"}, [transport])
            await viewer.close()
        ready_answer = await client.get("/health/ready")
        assert ready_answer.status_code == 503
        assert "shutting down" in ready_answer.json()["error"]["message"]


async def test_a_pipeline_without_heartbeats_is_offline(database: Database) -> None:
    for name in ("silent", "alive"):
        await publish(database, [online()], name)
    beat = {"id": update()["id"], "type": "heartbeat", "pipeline_id": "alive", "status": "alive"}
    beat |= {"uptime": 1, "memory_usage": 1, "active_files": 0}
    async with (
        serving(database, timeouts=Timeouts(pipeline_heartbeat=0.6)) as server,
        server.client(Role.PRODUCER) as producer,
        watching(server.url) as viewer,
    ):
        await viewer.subscribe()
        async with asyncio.timeout(SECONDS):
            while not viewer.of("pipeline:offline"):
                await producer.post("/v1/events", json={"events": [beat]})
                await asyncio.sleep(0.05)
        [offline] = viewer.of("pipeline:offline")
        assert (offline["pipeline_id"], offline["reason"]) == ("silent", "timeout")
        [status] = await viewer.subscribe(pipeline_id="silent")
        assert status["snapshot"]["status"] == "offline"
