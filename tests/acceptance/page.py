"""The dashboard in a real Chromium."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, Request, async_playwright, expect

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Dashboard:
    """An open page, with its script errors and requested API paths."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._record)

    def _record(self, request: Request) -> None:
        if (path := urlsplit(request.url).path).startswith("/api/"):
            self.requests.append(path)

    async def expect_connection(self, state: str, *, within_seconds: float) -> None:
        """Wait for the badge to say `live`, `polling` or `offline`."""
        badge = self.page.get_by_test_id("connection-badge")
        await expect(badge).to_have_attribute("data-state", state, timeout=within_seconds * 1000)

    async def expect_file(self, name: str, state: str, *, within_seconds: float) -> None:
        """Wait for a file's row to show a state."""
        row = self.page.locator(f'[data-testid="file-row"][data-name="{name}"]').first
        await expect(row).to_have_attribute("data-state", state, timeout=within_seconds * 1000)

    async def expect_standing(self, name: str, standing: str, *, within_seconds: float) -> None:
        """Wait for a file's row to show a standing, such as waiting, stuck or lost."""
        row = self.page.locator(f'[data-testid="file-row"][data-name="{name}"]').first
        await expect(row).to_have_attribute(
            "data-standing", standing, timeout=within_seconds * 1000
        )

    async def expect_seq(self, pipeline_id: str, seq: int, *, within_seconds: float) -> None:
        """Wait until the page has applied every event up to `seq`."""
        reached = "([id, seq]) => window.__raglive.pipelines()[id].seq >= seq"
        timeout = within_seconds * 1000
        await self.page.wait_for_function(reached, arg=[pipeline_id, seq], timeout=timeout)

    async def expect_counts(self, counts: dict[str, int], *, within_seconds: float) -> None:
        """Wait until the page shows these numbers of files by state."""
        for state, files in counts.items():
            shown = self.page.get_by_test_id(f"count-{state}")
            await expect(shown).to_have_text(f"{files:,}", timeout=within_seconds * 1000)

    async def pipelines(self) -> dict[str, Any]:
        """Return how far the page has applied and verified each pipeline's log."""
        found: dict[str, Any] = await self.page.evaluate("window.__raglive.pipelines()")
        return found


async def sign_in(page: Page, token: str, base_path: str = "") -> None:
    """Sign a page in, before it is opened."""
    await page.add_init_script(f"sessionStorage.setItem('raglive.token{base_path}', '{token}')")


@asynccontextmanager
async def chromium(*arguments: str) -> AsyncIterator[Browser]:
    """Run Chromium with further arguments; skip the test without Chromium."""
    browser_path = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser_path is None:
        pytest.skip("Chromium is not installed: apt install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=browser_path, args=[*QUIET, *arguments]
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def dashboard(url: str, token: str | None = None) -> AsyncIterator[Dashboard]:
    """Open the page in a Chromium of its own, signed in with a token; skip without Chromium."""
    async with chromium() as browser:
        opened = Dashboard(await browser.new_page())
        if token is not None:
            await sign_in(opened.page, token)
        await opened.page.goto(url)
        yield opened
