"""The page is live behind the proxies of deploy/proxy, with the documented settings."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import BrowserContext, Page, Response, expect

from raglive_contract.permissions import Role
from tests.acceptance.documents import write_text
from tests.acceptance.installation import COMMAND, Installation, free_ports, running
from tests.acceptance.page import Dashboard, chromium, sign_in
from tests.acceptance.proxy import (
    FILES,
    HOST,
    PROXIES,
    RESOLVER_RULES,
    Proxy,
    Site,
    Variant,
    running_proxy,
)
from tests.acceptance.stock_viewers import following
from tests.integration.status_server.serving import ready

LIVE_SECONDS = 3.0
SHORT_TIMEOUT_SECONDS = 10
BASE_PATH = "/rag"
PIPELINE = "local-files-pipeline"
UNFAVOURABLE = {  # what proxies that nobody configured for raglive do
    "proxy_buffering off": "proxy_buffering on",
    "proxy_read_timeout 60s": f"proxy_read_timeout {SHORT_TIMEOUT_SECONDS}s",
    "proxy_send_timeout 60s": f"proxy_send_timeout {SHORT_TIMEOUT_SECONDS}s",
    "Host              $http_host": "Host              127.0.0.1",
}
WITHOUT_UPGRADE = UNFAVOURABLE | {
    "proxy_set_header Upgrade           $http_upgrade;": "",
    "proxy_set_header Connection        $connection_header;": "",
}
PATH_PASSED_ON = {
    "rewrite ^/rag(/.*)$ $1 break;": "",
    "http://raglive_status/v1/;": "http://raglive_status;",
    "http://raglive_dashboard/;": "http://raglive_dashboard;",
}
PLAIN = {" ssl http2;": ";"}
RECORD_STATES = """
    const badge = document.querySelector('[data-testid="connection-badge"]');
    window.seenStates = [badge.dataset.state];
    new MutationObserver(() => window.seenStates.push(badge.dataset.state))
        .observe(badge, { attributeFilter: ["data-state"] });
"""

pytestmark = pytest.mark.timeout(240)


class Viewer:
    """Opens pages of one installation, signed in."""

    def __init__(self, raglive: Installation, context: BrowserContext) -> None:
        self.raglive = raglive
        self.context = context
        self.overviews: list[Dashboard] = []
        self.files = 0

    async def open(self, url: str, state: str = "live") -> Dashboard:
        """Open a page, and wait for its connection."""
        page = await self.context.new_page()
        base_path = BASE_PATH if urlsplit(url).path.startswith(BASE_PATH) else ""
        await sign_in(page, self.raglive.token, base_path)
        opened = Dashboard(page)
        await page.goto(url)
        within_seconds = LIVE_SECONDS if state == "live" else 10
        await opened.expect_connection(state, within_seconds=within_seconds)
        return opened

    async def open_overview(self, url: str, state: str = "live") -> Dashboard:
        """Open a page that `expect_a_new_file` looks at."""
        self.overviews.append(await self.open(url, state))
        return self.overviews[-1]

    async def expect_a_new_file(self) -> None:
        """Write a file, and wait until each page counts it."""
        write_text(self.raglive.folder, self.files)
        self.files += 1
        for page in self.overviews:
            await page.expect_counts({"completed": self.files}, within_seconds=20)


async def test_the_page_is_live_behind_each_proxy(dsn: str, tmp_path: Path) -> None:
    names = [*PROXIES, "unfavourable", "polling", "passing", "plain", "bare"]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    urls = {name: f"https://{HOST}:{port}" for name, port in ports.items()}
    urls["plain"] = urls["plain"].replace("https", "http")
    async with AsyncExitStack() as stack:
        raglive = product(dsn, tmp_path, urls)
        [second_port] = free_ports(1)
        site = Site(
            raglive.ports["SOCKET_IO_PORT"],
            second_port,
            raglive.ports["RAGLIVE_DASHBOARD_PORT"],
            tmp_path,
        )
        site.create_certificate()
        variants = {
            "unfavourable": UNFAVOURABLE,
            "polling": WITHOUT_UPGRADE,
            "passing": PATH_PASSED_ON,
            "plain": PLAIN,
            "bare": without_headers(site),
        }
        proxies = [
            await stack.enter_async_context(
                running_proxy(
                    name,
                    site,
                    ports[name],
                    [Variant(ports[each], variants[each]) for each in variants],
                )
            )
            for name in PROXIES
        ]
        await stack.enter_async_context(running(raglive))
        second = await stack.enter_async_context(second_server(raglive, second_port))
        browser = await stack.enter_async_context(chromium(RESOLVER_RULES))
        context = await browser.new_context(ignore_https_errors=True)
        viewer = Viewer(raglive, context)
        await viewer.expect_a_new_file()

        idle = {
            state: await viewer.open_overview(urls[name], state)
            for name, state in (("unfavourable", "live"), ("polling", "polling"))
        }
        for page in idle.values():
            await page.page.evaluate(RECORD_STATES)
        of_proxy = {
            proxy.name: await open_documented(viewer, urls[proxy.name]) for proxy in proxies
        }
        for url in (urls["plain"], urls["passing"]):
            page = await viewer.open(f"{url}{BASE_PATH}?x")  # without its slash
            await page.page.close()
        await check_pages(viewer, urls["nginx"])
        await check_sign_in(raglive, context)
        await check_bare(urls["bare"], raglive)
        await check_doctor(urls["nginx"], raglive, site)
        ended = await check_tokens(urls["nginx"], raglive, await context.new_page())
        requests = len(ended.requests)
        await check_idle(idle)
        await viewer.expect_a_new_file()
        await check_several_servers([urls[name] for name in PROXIES], viewer, second)
        for proxy in proxies:
            await check_restart(proxy, of_proxy[proxy.name])
        await idle["live"].expect_connection("live", within_seconds=10)
        await viewer.expect_a_new_file()
        await expect(ended.page.get_by_test_id("token")).to_be_visible()
        assert len(ended.requests) == requests  # nothing is asked without rights
        assert [page.errors for page in viewer.overviews if page.errors] == []


def product(dsn: str, tmp_path: Path, urls: dict[str, str]) -> Installation:
    documents = tmp_path / "documents"
    documents.mkdir()
    settings = {
        "RAGLIVE_ALLOWED_HOSTS": HOST,
        "RAGLIVE_STATUS_URL": ".",
        "RAGLIVE_SERVER_NAME": "one",
        "RAGLIVE_BASE_PATH": BASE_PATH,  # for the proxy that passes it on
        "SOCKET_IO_CORS_ORIGIN": urls["unfavourable"],  # which replaces the Host
    }
    return Installation(documents, tmp_path / "data", DATABASE_URL=dsn, **settings)


def without_headers(site: Site) -> dict[str, str]:
    """A bare `proxy_pass`, which adds no header."""
    lines = (FILES / "nginx.conf").read_text("utf-8").splitlines(keepends=True)
    return {
        **{line: "" for line in lines if "proxy_set_header" in line},
        "http://raglive_dashboard;": f"http://127.0.0.1:{site.dashboard_port};",
    }


async def open_documented(viewer: Viewer, url: str) -> Dashboard:
    """TLS and HTTP/2: live at once, at the root and below a path."""
    page = await viewer.open(f"{url}/")
    protocol = await page.page.evaluate(
        "performance.getEntriesByType('navigation')[0].nextHopProtocol"
    )
    assert protocol == "h2", url
    await page.page.close()
    return await viewer.open_overview(f"{url}{BASE_PATH}/")


async def check_pages(viewer: Viewer, url: str) -> None:
    """Each page below the path, from another page, from its address and after a reload."""
    opened = await viewer.open(f"{url}{BASE_PATH}/pipeline?id={PIPELINE}")  # without its slash
    page, answers = opened.page, list[Response]()

    def record(answer: Response) -> None:
        answers.append(answer)

    page.on("response", record)
    await page.get_by_test_id("file-row").first.get_by_role("link").first.click()
    await page.wait_for_url(f"{url}{BASE_PATH}/file/?*")
    await expect(page.get_by_test_id("chunk").first).to_be_visible()
    await page.reload()
    await expect(page.get_by_test_id("chunk").first).to_be_visible()
    await page.get_by_role("link", name="raglive").click()
    await page.wait_for_url(f"{url}{BASE_PATH}/")
    await expect(page.get_by_test_id("pipeline-card")).to_be_visible()
    await page.goto(f"{url}{BASE_PATH}/search/?q=heron")
    await expect(page.locator(f'a[href^="{BASE_PATH}/file/?"]').first).to_be_visible()
    await page.evaluate("fetch(document.querySelector('link[rel=icon]').href)")
    wrong = [
        (answer.status, answer.url)
        for answer in answers
        if answer.status >= 400 or not urlsplit(answer.url).path.startswith(f"{BASE_PATH}/")
    ]
    assert wrong == []
    await page.goto(f"{url}{BASE_PATH}/no/such/page")
    await page.get_by_role("link", name="All pipelines").last.click()
    await page.wait_for_url(f"{url}{BASE_PATH}/")
    await opened.expect_connection("live", within_seconds=LIVE_SECONDS)
    assert opened.errors == []
    await page.close()


async def check_sign_in(raglive: Installation, context: BrowserContext) -> None:
    """The address that was printed works below the path too, and without a proxy."""
    address = raglive.printed_address.replace("/#", f"{BASE_PATH}/#")
    opened = Dashboard(await context.new_page())
    await opened.page.goto(address)
    await opened.expect_connection("live", within_seconds=LIVE_SECONDS)
    assert opened.page.url == f"{raglive.dashboard_url}{BASE_PATH}/"
    await opened.page.close()


async def check_bare(url: str, raglive: Installation) -> None:
    """A bare `proxy_pass` adds no header: a token is needed, and no page can use the secret."""
    address = url.replace(HOST, "127.0.0.1")
    async with httpx.AsyncClient(base_url=address, verify=False) as stranger:
        for path in ("rag-status", "session", "pipelines", "search?q=glacier"):
            assert (await stranger.get(f"/api/{path}")).status_code == 401, path
        health = (await stranger.get("/api/health")).json()
        assert health.keys() == {"status", "timestamp"}
        secret = raglive.printed_address.partition("#sign-in=")[2]
        for headers in ({"Origin": url}, {"X-Forwarded-For": "127.0.0.1"}, {"Via": "1.1 proxy"}):
            refused = await stranger.post("/api/sign-in", json={"secret": secret}, headers=headers)
            assert refused.status_code == 403, headers


async def check_tokens(url: str, raglive: Installation, page: Page) -> Dashboard:
    """Too few rights, and rights that end, show the sign-in with the reason, and no data."""
    opened = Dashboard(page)
    await page.goto(f"{url}/")

    async def enter(token: str) -> None:
        await page.get_by_test_id("token").fill(token)
        await page.get_by_role("button", name="Continue").click()

    async def expect_refusal(reason: str) -> None:
        why = page.get_by_test_id("why-signed-out")
        await expect(why).to_contain_text(reason, timeout=10_000)
        assert not await page.get_by_text(PIPELINE).count()

    await enter(raglive.token_of(Role.PRODUCER, 3600))
    await expect_refusal("Use a token of the role viewer")
    await enter(raglive.token_of(Role.VIEWER, 4))
    await opened.expect_connection("live", within_seconds=LIVE_SECONDS)
    await expect(page.get_by_text(PIPELINE).first).to_be_visible()
    await expect_refusal("Your access has ended. The token has expired.")
    return opened


async def check_doctor(url: str, raglive: Installation, site: Site) -> None:
    """`raglive doctor` checks the way through the proxy, with an authority of one's own."""
    url = url.replace(HOST, "127.0.0.1")
    raglive.environment["SSL_CERT_FILE"] = str(site.folder / "fullchain.pem")
    _, said, _ = await raglive.cli("doctor", "--url", url)
    for finding in (
        f"✓ public address {url}: Pages of {url} may connect.",
        f"✓ public address {url}: The token is accepted; a WebSocket answers",
        "It answers to the name 127.0.0.1",
    ):
        assert finding in said


async def check_idle(pages: dict[str, Dashboard]) -> None:
    """Time-outs of ten seconds change neither the transport nor how current the page is."""
    over = f"() => performance.now() > {(SHORT_TIMEOUT_SECONDS + 2) * 1000}"
    for state, page in pages.items():
        await page.page.wait_for_function(over, polling=500)
        assert await page.page.evaluate("window.seenStates") == [state]


@asynccontextmanager
async def second_server(raglive: Installation, port: int) -> AsyncIterator[Process]:
    """Run another status server of the same installation."""
    settings = {"SOCKET_IO_PORT": str(port), "RAGLIVE_SERVER_NAME": "two"}
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "server"), env=raglive.environment | settings, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await ready(f"http://127.0.0.1:{port}")
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def check_several_servers(urls: list[str], viewer: Viewer, second: Process) -> None:
    """Sessions stay with their server, in any transport, and go on at another one."""
    async with (
        following(urls, viewer.raglive.token, 4, ["polling"]) as polling,
        following(urls, viewer.raglive.token, 4, ["polling", "websocket"]) as upgraded,
    ):
        stock = [*polling, *upgraded]
        for url in urls:
            assert {one.server for one in stock if one.url == url} == {"one", "two"}
        assert {one.client.transport() for one in upgraded} == {"websocket"}
        await viewer.expect_a_new_file()
        seq = len(await viewer.raglive.events())
        for one in stock:
            await one.until_seq(seq, within_seconds=10)
            assert one.connections == 1
        second.kill()
        await viewer.expect_a_new_file()
        seq = len(await viewer.raglive.events())
        for one in stock:
            await one.until_seq(seq, within_seconds=10)
            assert one.server == "one"


async def check_restart(proxy: Proxy, page: Dashboard) -> None:
    await proxy.stop()
    badge = page.page.get_by_test_id("connection-badge")
    await expect(badge).not_to_have_attribute("data-state", "live", timeout=10_000)
    await proxy.start()
    await page.expect_connection("live", within_seconds=LIVE_SECONDS)
