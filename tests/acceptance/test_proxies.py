"""The page is live behind the proxies of deploy/proxy, with the documented settings."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, expect

from raglive.local_stack.child_process import answers
from tests.acceptance.documents import write_text
from tests.acceptance.installation import (
    COMMAND,
    START_SECONDS,
    Installation,
    free_ports,
    installed,
)
from tests.acceptance.page import Dashboard, chromium, sign_in
from tests.acceptance.proxy import FILES, HOST, PROXIES, Site, running_proxy

LIVE_SECONDS = 3.0
SHORT_TIMEOUT_SECONDS = 10
URL = f"https://{HOST}"
SETTINGS = {
    "RAGLIVE_ALLOWED_HOSTS": HOST,
    "RAGLIVE_STATUS_URL": URL,
    "SOCKET_IO_CORS_ORIGIN": URL,
}
UNFAVOURABLE = {  # what proxies that nobody configured for raglive do
    "proxy_buffering off": "proxy_buffering on",
    "proxy_read_timeout 90s": f"proxy_read_timeout {SHORT_TIMEOUT_SECONDS}s",
    "proxy_send_timeout 90s": f"proxy_send_timeout {SHORT_TIMEOUT_SECONDS}s",
    "proxy_read_timeout 60s": f"proxy_read_timeout {SHORT_TIMEOUT_SECONDS}s",
    "Host              $http_host": "Host              127.0.0.1",
}
WITHOUT_UPGRADE = {
    "proxy_set_header Upgrade           $http_upgrade;": "",
    "proxy_set_header Connection        $connection_header;": "",
}
RECORD_STATES = """
    const badge = document.querySelector('[data-testid="connection-badge"]');
    window.seenStates = [badge.dataset.state];
    new MutationObserver(() => window.seenStates.push(badge.dataset.state))
        .observe(badge, { attributeFilter: ["data-state"] });
"""

pytestmark = pytest.mark.timeout(240)


class Viewer:
    """Opens pages of one installation in one browser, signed in."""

    def __init__(self, raglive: Installation, browser: Browser, token: str) -> None:
        self.raglive = raglive
        self.browser = browser
        self.token = token
        self.files = 0

    @asynccontextmanager
    async def page(self, url: str = URL) -> AsyncIterator[Dashboard]:
        context = await self.browser.new_context(ignore_https_errors=True)
        try:
            page = await context.new_page()
            await sign_in(page, self.token)
            opened = Dashboard(page)
            await page.goto(url)
            yield opened
            assert opened.errors == []
        finally:
            await context.close()

    async def expect_a_new_file(self, page: Dashboard) -> None:
        """Write a file, and wait until the page counts it."""
        write_text(self.raglive.folder, self.files)
        self.files += 1
        await page.expect_counts({"completed": self.files}, within_seconds=20)


async def test_the_page_is_live_behind_each_proxy(dsn: str, tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    async with AsyncExitStack() as stack:
        raglive = await stack.enter_async_context(
            installed(documents, tmp_path / "data", DATABASE_URL=dsn, **SETTINGS)
        )
        http_port, https_port = free_ports(2)
        site = Site(
            http_port,
            https_port,
            status_port=raglive.ports["SOCKET_IO_PORT"],
            dashboard_port=raglive.ports["RAGLIVE_DASHBOARD_PORT"],
            folder=tmp_path,
        )
        site.create_certificate()
        rules = f"--host-resolver-rules={site.resolver_rules}"
        browser = await stack.enter_async_context(chromium(rules))
        viewer = Viewer(raglive, browser, raglive.token)
        for name in PROXIES:
            await check_documented(name, site, viewer)
        await check_bare(site, raglive)
        await check_unfavourable(site, viewer)
        await check_without_upgrade(site, viewer)
        await check_plain(site, viewer)


async def check_documented(name: str, site: Site, viewer: Viewer) -> None:
    """TLS and HTTP/2: live at once, and again after the proxy has restarted."""
    async with running_proxy(name, site) as proxy, viewer.page() as page:
        await page.expect_connection("live", within_seconds=LIVE_SECONDS)
        protocol = await page.page.evaluate(
            "performance.getEntriesByType('navigation')[0].nextHopProtocol"
        )
        assert protocol == "h2", name
        await viewer.expect_a_new_file(page)
        await proxy.stop()
        badge = page.page.get_by_test_id("connection-badge")
        await expect(badge).not_to_have_attribute("data-state", "live", timeout=10_000)
        await proxy.start()
        await page.expect_connection("live", within_seconds=LIVE_SECONDS)
        await viewer.expect_a_new_file(page)


async def check_bare(site: Site, raglive: Installation) -> None:
    """A bare `proxy_pass` adds no header: a token is needed, and no page can use the secret."""
    text = (FILES / "nginx.conf").read_text("utf-8")
    bare = {line: "" for line in text.splitlines(keepends=True) if "proxy_set_header" in line}
    bare["http://raglive_dashboard;"] = f"http://127.0.0.1:{site.dashboard_port};"
    secret = raglive.printed_address.partition("#sign-in=")[2]
    async with (
        running_proxy("nginx", site, bare),
        httpx.AsyncClient(
            base_url=f"https://127.0.0.1:{site.https_port}", verify=False
        ) as stranger,
    ):
        for path in ("rag-status", "session", "pipelines", "search?q=glacier"):
            assert (await stranger.get(f"/api/{path}")).status_code == 401, path
        health = (await stranger.get("/api/health")).json()
        assert health.keys() == {"status", "timestamp"}
        for headers in ({"Origin": URL}, {"X-Forwarded-For": "127.0.0.1"}, {"Via": "1.1 proxy"}):
            refused = await stranger.post("/api/sign-in", json={"secret": secret}, headers=headers)
            assert refused.status_code == 403, headers


async def check_unfavourable(site: Site, viewer: Viewer) -> None:
    """Buffering, time-outs of ten seconds and another Host: live, and not closed when idle."""
    async with running_proxy("nginx", site, UNFAVOURABLE), viewer.page() as page:
        await page.expect_connection("live", within_seconds=LIVE_SECONDS)
        await page.page.evaluate(RECORD_STATES)
        idle = f"() => performance.now() > {(SHORT_TIMEOUT_SECONDS + 2) * 1000}"
        await page.page.wait_for_function(idle, polling=500)
        assert await page.page.evaluate("window.seenStates") == ["live"]
        await viewer.expect_a_new_file(page)


async def check_without_upgrade(site: Site, viewer: Viewer) -> None:
    """No WebSockets: the page polls, and stays exact."""
    async with running_proxy("nginx", site, WITHOUT_UPGRADE), viewer.page() as page:
        await page.expect_connection("polling", within_seconds=10)
        for _ in range(3):
            await viewer.expect_a_new_file(page)
        await page.expect_connection("polling", within_seconds=1)


async def check_plain(site: Site, viewer: Viewer) -> None:
    """Without TLS: a dashboard server of its own says so to its pages."""
    url = f"http://{HOST}"
    [port] = free_ports(1)
    plain = {
        f"listen 127.0.0.1:{site.http_port};": f"listen 127.0.0.1:{site.https_port};",
        f"listen 127.0.0.1:{site.https_port} ssl http2;": f"listen 127.0.0.1:{site.http_port};",
    }
    async with (
        another_dashboard(viewer.raglive, port, url),
        running_proxy("nginx", replace(site, dashboard_port=port), plain),
        viewer.page(url) as page,
    ):
        await page.expect_connection("live", within_seconds=LIVE_SECONDS)
        await viewer.expect_a_new_file(page)


@asynccontextmanager
async def another_dashboard(
    raglive: Installation, port: int, status_url: str
) -> AsyncIterator[None]:
    settings = {"RAGLIVE_DASHBOARD_PORT": str(port), "RAGLIVE_STATUS_URL": status_url}
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "dashboard", env=raglive.environment | settings, stderr=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await answers(f"http://127.0.0.1:{port}/metrics", 1):
                await asyncio.sleep(0.05)
        yield
    finally:
        process.terminate()
        await process.wait()
