"""Revocation: on open connections, on every server, and over HTTP."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import pytest
import socketio
from httpx import AsyncClient

from raglive.store.access.revocations import revoke
from raglive.store.pool import Database
from raglive_contract.permissions import Grant, Role
from raglive_contract.socket import ServerClosing
from tests.integration.dashboard.serving import opened
from tests.integration.status_server.serving import (
    TOKENS,
    Serving,
    online,
    publish,
    serving,
    token,
    update,
)
from tests.integration.status_server.watching import Viewer, watching
from tests.relay import Relay


async def connected(url: str, given: str) -> Viewer:
    viewer = Viewer(url)
    await viewer.connect({"token": given})
    return viewer


async def known(url: str, given: str) -> None:
    """Wait until a server knows that a token was revoked."""
    headers = {"Authorization": f"Bearer {given}"}
    async with asyncio.timeout(5), AsyncClient(base_url=url, headers=headers) as http:
        while (await http.get("/status")).is_success:
            await asyncio.sleep(0.02)


async def refused(url: str, given: str) -> str:
    viewer = Viewer(url)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await viewer.connect({"token": given})
    await viewer.close()
    assert viewer.refusal
    code: str = viewer.refusal["data"]["error"]["code"]
    return code


@pytest.mark.parametrize("by", ["token", "subject"])
async def test_open_connections_end_within_a_second_on_every_server(
    database: Database, by: str
) -> None:
    await publish(database, [online()])
    given = token(Role.ADMIN, subject="leaving")
    token_id = (await TOKENS.verify(given)).token_id
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(serving(database)) for _ in range(2)]
        staying = await stack.enter_async_context(watching(servers[0].url))
        leaving = [await connected(server.url, given) for server in servers]
        for viewer in (staying, *leaving):
            await viewer.subscribe()
        named = {"token_id": token_id} if by == "token" else {"subject": "leaving"}
        await revoke(database, **named, revoked_by="test")
        revoked_at = time.monotonic()
        for viewer in leaving:
            await viewer.until(viewer.closed.is_set)
        assert time.monotonic() - revoked_at < 1
        for server, viewer in zip(servers, leaving, strict=True):
            [closing] = viewer.of("server:closing")
            assert ServerClosing.model_validate(closing).error.code == "token_revoked"
            assert await refused(server.url, given) == "token_revoked"
            headers = {"Authorization": f"Bearer {given}"}
            async with AsyncClient(base_url=server.url, headers=headers) as http:
                for path in ("/status", "/v1/pipelines"):
                    answer = await http.get(path)
                    assert answer.status_code == 401
                    assert answer.json()["error"]["code"] == "token_revoked"
                published = await http.post("/v1/events", json={"events": [update()]})
                assert published.status_code == 401
            await viewer.close()
        other = token(subject="leaving")
        if by == "token":
            await (await connected(servers[0].url, other)).close()
        await publish(database, [update()])
        await staying.until(staying.durable)
        assert not staying.closed.is_set()


async def test_a_revoked_token_cannot_refresh_a_session(
    server: Serving, database: Database
) -> None:
    async with watching(server.url, subject="staying") as viewer:
        given = token(subject="gone")
        await revoke(database, subject="gone", revoked_by="test")
        await known(server.url, given)
        answer = await viewer.ask("auth:refresh", {"token": given})
        assert answer["error"]["code"] == "token_revoked"
        assert (await viewer.ask("subscribe"))["ok"], "the present token is still valid"


async def test_a_subject_can_reconnect_with_a_new_token(
    server: Serving, database: Database
) -> None:
    given = token(subject="returning")
    await revoke(database, subject="returning", revoked_by="test")
    await known(server.url, given)
    async with asyncio.timeout(10):
        while True:  # the `iat` of a token has a resolution of one second
            viewer = Viewer(server.url)
            try:
                await viewer.connect({"token": token(subject="returning")})
                break
            except socketio.exceptions.ConnectionError:
                assert viewer.refusal
            finally:
                await viewer.close()
            await asyncio.sleep(0.1)
    assert await refused(server.url, given) == "token_revoked"


async def test_the_dashboard_and_its_derived_tokens_follow_a_revocation(
    database: Database,
) -> None:
    given = token(Role.VIEWER, subject="me")
    headers = {"Authorization": f"Bearer {given}"}
    async with serving(database) as server, opened(database, signed_in=False) as http:
        session = await http.get("/api/session", headers=headers)
        derived: str = session.json()["token"]
        viewer = await connected(server.url, derived)
        identity = await TOKENS.verify(given)
        await revoke(database, token_id=identity.token_id, revoked_by="test")
        await viewer.until(viewer.closed.is_set)
        await viewer.close()
        async with asyncio.timeout(5):
            while (answer := await http.get("/api/rag-status", headers=headers)).is_success:
                await asyncio.sleep(0.02)
        assert answer.json()["error"]["code"] == "token_revoked"


async def test_a_revocation_holds_while_the_database_is_unavailable(database: Database) -> None:
    given = TOKENS.issue(Grant(Role.VIEWER, ("*",)), 300, "gone")
    await revoke(database, subject="gone", revoked_by="test")
    async with Relay(database.dsn) as relay:
        through = await Database.connect(relay.dsn, name="status server")
        async with serving(through) as server:
            assert await refused(server.url, given) == "token_revoked"
            await relay.cut()
            assert await refused(server.url, given) == "token_revoked"
            await relay.restore()
        await through.close()
