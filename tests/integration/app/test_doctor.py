"""`raglive doctor` finds what is wrong with each connection, and says what to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import asyncpg

from raglive.app.doctor.checks import Check, Finding, run_checks
from raglive.app.doctor.database import check_database
from raglive.app.doctor.machine import check_embedding
from raglive.app.doctor.servers import (
    check_dashboard,
    check_public_address,
    check_status_server,
    public_urls,
)
from raglive.app.installation import Installation
from raglive.settings import read_settings
from tests.integration.status_server.serving import free_port
from tests.pgbouncer import running_pgbouncer

SECRET = "for-tests-only-" * 3


@asynccontextmanager
async def answering(status: int, body: bytes) -> AsyncIterator[int]:
    """Serve the same answer to every request; yield the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 %d X\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        writer.write(head % (status, len(body)) + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def findings(check: Check) -> list[Finding]:
    return await run_checks({"it": check})


def messages(found: list[Finding], state: str) -> str:
    return "\n".join(finding.message for finding in found if finding.state == state)


async def test_a_sound_database(dsn: str) -> None:
    found = await findings(partial(check_database, dsn))
    assert {finding.state for finding in found} == {"passed"}
    for said in ("a primary server", "No pooler", "schema is that", "MiB on the disk"):
        assert said in messages(found, "passed")


async def test_a_transaction_pooler_and_a_read_only_database(dsn: str) -> None:
    owner = await asyncpg.connect(dsn)
    name = dsn.rpartition("/")[2]
    await owner.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await owner.close()
    async with running_pgbouncer(dsn, "transaction") as address:
        found = await findings(partial(check_database, address))
    assert "is in read-only mode" in messages(found, "failed")
    assert "is a transaction pooler" in messages(found, "warning")


async def test_a_database_without_schema_or_without_an_answer(empty_dsn: str) -> None:
    found = await findings(partial(check_database, empty_dsn))
    assert "Run `raglive db migrate`" in messages(found, "failed")
    away = f"postgresql://someone:s3cret@127.0.0.1:{free_port()}/rag"
    [finding] = await findings(partial(check_database, away))
    assert "does not answer" in finding.message
    assert "s3cret" not in finding.message


async def test_a_stranger_in_the_place_of_a_server(dsn: str) -> None:
    async with answering(200, b"<html>") as port:
        url = f"http://127.0.0.1:{port}"
        settings = read_settings(
            {"RAGLIVE_DASHBOARD_PORT": str(port), "RAGLIVE_STATUS_INTERNAL_URL": url}
        )
        installation = Installation(settings, dsn, SECRET)
        [status] = await findings(partial(check_status_server, installation))
        [public] = await findings(partial(check_public_address, installation, f"{url}/rag"))
        [dashboard] = await findings(partial(check_dashboard, installation, []))
    assert "not by the status server" in status.message
    assert "RAGLIVE_STATUS_INTERNAL_URL" in status.message
    assert "/rag/socket.io/ is answered with 200, and not by the status server" in public.message
    assert "not by the dashboard" in dashboard.message


async def test_a_provider_that_refuses_the_key() -> None:
    async with answering(401, b"{}") as port:
        settings = read_settings(
            {
                "EMBEDDING_PROVIDER": "openai",
                "EMBEDDING_BASE_URL": f"http://127.0.0.1:{port}/v1",
                "EMBEDDING_API_KEY": "sk-wrong-key",
            }
        )
        [finding] = await findings(partial(check_embedding, settings))
    assert finding.state == "failed"
    assert "EMBEDDING_API_KEY" in finding.message
    assert "sk-wrong-key" not in finding.message


def test_the_public_address_of_a_page_is_known_by_its_hosts() -> None:
    settings = read_settings(
        {
            "RAGLIVE_STATUS_URL": ".",
            "RAGLIVE_ALLOWED_HOSTS": "rag.example.com,*.example.org,fd00::1",
            "RAGLIVE_BASE_PATH": "/rag",
        }
    )
    assert public_urls(settings) == ["https://rag.example.com/rag", "https://[fd00::1]/rag"]
