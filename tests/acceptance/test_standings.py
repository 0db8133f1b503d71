"""How the page shows a provider that fails, refuses requests, or hangs."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.acceptance.installation import Installation, installed
from tests.acceptance.page import Dashboard, dashboard
from tests.integration.ingest.ingesting import document
from tests.integration.ingest.providing import Provider, provider

PIPELINE = "local-files-pipeline"

pytestmark = pytest.mark.timeout(240)


async def test_waiting_stuck_and_paused_look_different_and_pass(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "calm.txt").write_text("The lighthouse keeper rows home at dawn.")
    async with (
        provider() as paid,
        installed(
            folder,
            tmp_path / "data",
            EMBEDDING_PROVIDER="openai",
            EMBEDDING_MODEL="small",
            EMBEDDING_BASE_URL=paid.url,
            RAGLIVE_EMBEDDING_PRICE_PER_MILLION_TOKENS="2000",
            RAGLIVE_EMBEDDING_BUDGET="50",
            RAGLIVE_STUCK_SECONDS="2",
        ) as raglive,
        dashboard(f"{raglive.dashboard_url}/pipeline/?id={PIPELINE}", raglive.token) as page,
    ):
        await page.expect_connection("live", within_seconds=15)
        await page.expect_file("calm.txt", "completed", within_seconds=20)
        await expect(page.page.get_by_test_id("spending")).to_contain_text("of 50 spent")
        await _sees_a_file_wait(folder, paid, page)
        await _sees_a_file_stuck(folder, paid, raglive, page)
        await _sees_a_pause(folder, paid, raglive, page)
        assert page.errors == []
        assert await raglive.json("verify") == {"ok": True, "problems": []}


async def _sees_a_file_wait(folder: Path, paid: Provider, page: Dashboard) -> None:
    paid.fails_at, paid.fails_with = "unlucky", 503
    (folder / "waits.txt").write_text("The unlucky ferry waits for the tide.")
    await page.expect_standing("waits.txt", "waiting", within_seconds=30)
    group = page.page.locator('[data-testid="failure-group"][data-state="waiting"]')
    await expect(group).to_contain_text("tried again", timeout=20_000)
    await expect(group).to_contain_text("EMBEDDING_BASE_URL")
    paid.fails_at = ""
    await group.get_by_test_id("retry").click()
    await page.expect_file("waits.txt", "completed", within_seconds=30)
    await expect(group).to_have_count(0, timeout=10_000)


async def _sees_a_file_stuck(
    folder: Path, paid: Provider, raglive: Installation, page: Dashboard
) -> None:
    paid.holds_at = "silent"
    (folder / "hangs.txt").write_text("The silent clock hangs in the hall.")
    await paid.held.wait()
    await page.expect_standing("hangs.txt", "stuck", within_seconds=20)
    row = page.page.get_by_test_id("progress-row")
    await expect(row).to_have_attribute("data-standing", "stuck")
    status, shown, _ = await raglive.cli("status")
    assert (status, "hangs.txt: stuck in embedding" in shown) == (0, True)
    await row.get_by_role("link").click()
    verdict = page.page.get_by_test_id("verdict")
    await expect(verdict).to_have_attribute("data-standing", "stuck", timeout=10_000)
    await expect(verdict).to_contain_text("Stuck while embedding")
    paid.released.set()
    await expect(verdict).to_have_count(0, timeout=20_000)
    await page.page.go_back()
    await page.expect_file("hangs.txt", "completed", within_seconds=20)


async def _sees_a_pause(
    folder: Path, paid: Provider, raglive: Installation, page: Dashboard
) -> None:
    (folder / "dear.txt").write_text(document("dear", 100))  # more than the whole budget
    await page.expect_standing("dear.txt", "waiting", within_seconds=20)
    paid.faults, paid.fault_rate = ("401",), 1.0
    (folder / "patient.txt").write_text("The patient baker counts his loaves.")
    banner = page.page.get_by_test_id("paused")
    await expect(banner).to_have_attribute("data-code", "embedding_rejected", timeout=20_000)
    await expect(banner.get_by_test_id("what-to-do")).to_contain_text("EMBEDDING_API_KEY")
    await page.expect_file("patient.txt", "queued", within_seconds=10)
    health = f"{raglive.dashboard_url}/api/health"
    answer = await page.page.request.get(health, headers=raglive.headers)
    local = (await answer.json())["services"]["rag_pipelines"]["local_files"]
    assert (local["state"], local["paused"]["code"]) == ("paused", "embedding_rejected")
    _, shown, _ = await raglive.cli("status")
    assert "EMBEDDING_API_KEY" in shown.partition(" is paused, for ")[2]

    await page.page.goto(f"{raglive.dashboard_url}/")
    await expect(page.page.get_by_test_id("headline")).to_have_text(f"{PIPELINE} is paused")
    needs = page.page.get_by_role("region", name="Needs you")
    await expect(needs.get_by_test_id("needs-pause")).to_be_visible()
    await expect(needs).to_contain_text("RAGLIVE_EMBEDDING_BUDGET")
    await expect(needs.locator("h2 + span")).to_have_text("2")
    await page.page.goto(f"{raglive.dashboard_url}/events/?id={PIPELINE}")
    await expect(
        page.page.get_by_text("paused: The embedding provider refuses").first
    ).to_be_visible()

    paid.faults = ()
    await expect(page.page.get_by_test_id("paused")).to_have_count(0, timeout=30_000)
    await page.page.goto(f"{raglive.dashboard_url}/pipeline/?id={PIPELINE}")
    await page.expect_file("patient.txt", "completed", within_seconds=20)
