"""The monitoring room, and the audit of connections, requests and operators' actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import socketio

from raglive.store.access.revocations import revoke
from raglive.store.pool import Database
from raglive_contract.monitoring import AuditEvent, MonitoringStatus
from raglive_contract.permissions import Role
from raglive_contract.socket import Refused
from tests.integration.status_server.conftest import LogLines
from tests.integration.status_server.serving import Serving, online, publish, token
from tests.integration.status_server.watching import Viewer, watching

ROOM = {"room": "admin:monitoring"}


def audited(viewer: Viewer, action: str, outcome: str = "ok") -> Callable[[], list[AuditEvent]]:
    def found() -> list[AuditEvent]:
        events = [AuditEvent.model_validate(it) for it in viewer.of("audit")]
        return [it for it in events if (it.action, it.outcome) == (action, outcome)]

    return found


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.PRODUCER])
async def test_only_administrators_may_join(server: Serving, role: Role) -> None:
    async with watching(server.url, role=role) as viewer:
        refused = Refused.model_validate(await viewer.ask("subscribe", ROOM))
        assert refused.error.code == "forbidden"
        assert not viewer.of("audit", "monitoring:status")


async def test_administrators_see_the_state_and_the_audit(
    server: Serving, database: Database
) -> None:
    await publish(database, [online()])
    async with watching(server.url, role=Role.ADMIN, subject="root") as admin:
        assert (await admin.ask("subscribe", ROOM)) == {"ok": True, "pipelines": []}
        given = token(subject="guest")
        guest = Viewer(server.url)
        await guest.connect({"token": given})
        await guest.subscribe()
        await guest.ask("publish", {"events": []})
        await guest.ask("auth:refresh", {"token": "x.y.z"})

        def status() -> Any:
            found = [MonitoringStatus.model_validate(it) for it in admin.of("monitoring:status")]
            return [it for it in found if it.subscriptions == 1 and it.refusals]

        found = (await admin.until(status))[-1]
        assert (found.connections, found.transports) == (2, 2)
        assert found.by_namespace == {"/local_files": 2}
        assert found.refusals["unauthenticated"] == 1

        [came] = await admin.until(audited(admin, "connect"))
        assert (came.subject, came.namespace, came.address) == (
            "guest",
            "/local_files",
            "127.0.0.1",
        )
        assert came.token_id
        assert came.detail == {"role": "viewer", "pipelines": ["*"]}
        await admin.until(audited(admin, "subscribe"))
        [failed] = await admin.until(audited(admin, "auth_refresh", "unauthenticated"))
        assert failed.connection == came.connection

        await revoke(database, subject="guest", revoked_by="root", reason="left the team")
        [act] = await admin.until(audited(admin, "token_revoked"))
        assert (act.subject, act.detail) == (
            "root",
            {"subject": "guest", "reason": "left the team"},
        )
        await admin.until(audited(admin, "stay", "token_revoked"))
        await admin.until(audited(admin, "disconnect"))
        await guest.close()
        assert given not in str(admin.received)

        assert (await admin.ask("unsubscribe", ROOM))["ok"]
        admin.received.clear()
        async with watching(server.url):
            assert not admin.of("audit")


async def test_a_token_without_the_right_leaves_the_room(server: Serving) -> None:
    async with watching(server.url, role=Role.ADMIN) as viewer:
        await viewer.ask("subscribe", ROOM)
        await viewer.until(lambda: viewer.of("monitoring:status"))
        await viewer.ask("auth:refresh", {"token": token(Role.VIEWER)})
        viewer.received.clear()
        async with watching(server.url):
            pass
        assert not viewer.of("audit")


async def test_the_audit_log_has_subject_and_address_and_no_secret(
    server: Serving, log_lines: LogLines
) -> None:
    given = token(Role.VIEWER, ttl=-5, subject="late")
    viewer = Viewer(server.url)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await viewer.connect({"token": given})
    await viewer.close()
    async with watching(server.url, subject="in time"):
        pass
    refused, came = [it for it in log_lines if it["event"] == "audit"][:2]
    assert (refused["action"], refused["outcome"]) == ("connect", "token_expired")
    assert refused["address"] == "127.0.0.1"
    assert (came["outcome"], came["subject"]) == ("ok", "in time")
    assert given not in str(log_lines)
    assert given.split(".")[2] not in str(log_lines)
    async with server.client() as client:
        assert (
            'raglive_refusals_total{code="token_expired"} 1.0'
            in (await client.get("/metrics")).text
        )
