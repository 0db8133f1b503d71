"""A live page sends no requests: all data arrives with events, and its own clock may be wrong."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest
from playwright.async_api import expect

from tests.acceptance.documents import pdf, write_text
from tests.acceptance.installation import Installation, installed
from tests.acceptance.page import Dashboard, dashboard
from tests.redis_server import running_redis

PIPELINE = "local-files-pipeline"
ADDRESSES = ("/", f"/pipeline/?id={PIPELINE}")
STATES = ("queued", "processing", "completed", "failed", "skipped")
SECONDS = float(os.environ.get("LIVE_MINUTES", "0")) * 60 or 5.0
DAMAGED = b"%PDF-1.4 damaged"
WRONG_CLOCK = "const right = Date.now; Date.now = () => right() + 3600_000"

pytestmark = pytest.mark.timeout(240 + SECONDS)


async def test_live_pages_are_exact_and_request_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    write_text(folder, 0)
    async with (
        running_redis() as redis,
        installed(folder, tmp_path / "data", REDIS_URL=redis.url) as raglive,
        AsyncExitStack() as stack,
    ):
        await raglive.events()
        database = (await raglive.cli("db", "url"))[1].strip()
        pages = [
            await stack.enter_async_context(
                dashboard(raglive.dashboard_url + address, raglive.token)
            )
            for address in ADDRESSES
        ]
        for page in pages:
            await page.page.add_init_script(WRONG_CLOCK)
            await page.page.reload()
            await page.expect_connection("live", within_seconds=20)
            await page.expect_counts(await counted(database), within_seconds=20)
            await page.page.wait_for_load_state("networkidle")
            page.requests.clear()
        watched = pages[0].page.locator(f'[data-pipeline-id="{PIPELINE}"]')
        await expect(watched).to_have_attribute("data-health", "watching", timeout=10_000)
        await change_files(raglive, folder, pages, database)
        assert "raglive:" in str(await redis.command("PUBSUB", "CHANNELS"))
        await sees_another_producer(database, pages[0])
        for page in pages:
            assert set(page.requests) <= {"/api/session"}
            assert (await page.pipelines())[PIPELINE]["resyncs"] == 0
            await page.expect_connection("live", within_seconds=1)
            assert page.errors == []


async def change_files(
    raglive: Installation, folder: Path, pages: list[Dashboard], database: str
) -> None:
    """Add, damage, retry, repair and delete files; compare pages with the database each time."""

    async def add(number: int) -> None:
        for each in range(20):
            await asyncio.to_thread(write_text, folder, number * 100 + each)

    async def damage(number: int) -> None:
        (folder / f"report-{number}.pdf").write_bytes(DAMAGED)
        (folder / f"plan-{number}.pdf").write_bytes(DAMAGED + b" too")

    async def retry(_number: int) -> None:
        status, _, errors = await raglive.cli("retry")
        assert status == 0, errors

    async def repair(number: int) -> None:
        (folder / f"plan-{number - 2}.pdf").write_bytes(pdf(f"Plan {number} is whole again."))

    async def delete(number: int) -> None:
        (folder / f"report-{number - 3}.pdf").unlink()
        for path in sorted(folder.glob("heron-*.txt"))[:2]:
            path.unlink()

    steps: list[Callable[[int], Awaitable[None]]] = [add, damage, retry, repair, delete]
    loop = asyncio.get_running_loop()
    until, number = loop.time() + SECONDS, 0
    while loop.time() < until or number % len(steps) != 0:
        await steps[number % len(steps)](number)
        number += 1
        log = await raglive.events()  # returns when the pipelines are idle
        for page in pages:
            await page.expect_seq(PIPELINE, len(log), within_seconds=10)
            await page.expect_counts(await counted(database), within_seconds=5)


async def sees_another_producer(database: str, overview: Dashboard) -> None:
    """A pipeline of a type that nobody configured is live, and ends without alarm."""
    file = {"id": "f", "name": "tax\u202efdp.exe", "failed_at": "2026-01-01T00:00:00Z"}
    error = {
        "type": "Broken",
        "code": "broken",
        "message": "No.\x1b[31m",
        "stage": "extraction",
        "retryable": False,
    }
    failed = {"file": file, "error": error, "attempt": 1}
    stopped = {"shutdown_at": "2026-01-01T00:00:00Z", "reason": "normal_shutdown"}
    card = overview.page.locator('[data-pipeline-id="nightly"]')
    connection = await asyncpg.connect(database)
    publish = "SELECT raglive.publish('nightly', $1, $2, pipeline_type => 'object_store')"
    try:
        await connection.fetchval(publish, "file:failed", json.dumps(failed))
        await expect(card).to_have_attribute("data-health", "publishing", timeout=10_000)
        await expect(card).to_contain_text("tax\\u202efdp.exe — No.\\x1b[31m")
        await connection.fetchval(publish, "pipeline:offline", json.dumps(stopped))
        await expect(card).to_have_attribute("data-health", "ended", timeout=10_000)
    finally:
        await connection.close()
    await expect(overview.page.get_by_test_id("headline")).not_to_contain_text("nightly")


async def counted(database: str) -> dict[str, int]:
    """Return how many files the database has in each state."""
    connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetch("SELECT state, count(*) FROM raglive.files GROUP BY state")
    finally:
        await connection.close()
    found = {str(state): int(files) for state, files in rows}
    return {state: found.get(state, 0) for state in STATES}
