"""Out-of-date data never looks fresh for more than ten seconds, whatever stops answering."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import psutil
import pytest
from playwright.async_api import expect

from tests.acceptance.documents import write_text
from tests.acceptance.installation import Installation, installed
from tests.acceptance.page import Dashboard, dashboard

PIPELINE = "local-files-pipeline"
SECONDS = float(os.environ.get("FRESHNESS_MINUTES", "0")) * 60
LONGEST_SECONDS = 10.0
SAMPLE_SECONDS = 0.5
LATE_SECONDS = 1.0  # a sample takes time on a busy machine
LOOKS = """() => [
    document.documentElement.dataset.connection,
    window.__raglive.pipelines()[%r]?.seq ?? 0,
]"""

pytestmark = pytest.mark.timeout(240 + 2 * SECONDS)


class Sampler:
    """Compares pages with the database twice a second; `found` lists lies.

    A page lies when it looks fresh, and has lacked a committed event, or could not be told of one,
    for more than ten seconds.
    """

    def __init__(self, database: str, pages: dict[str, Dashboard]) -> None:
        self._database = database
        self._pages = pages
        self._commits: list[tuple[float, int]] = []  # when the head was seen to reach a seq
        self.cut_at: float | None = None
        self.found: list[str] = []
        self.samples = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            loops = [tasks.create_task(self._watch_head())]
            loops += [tasks.create_task(self._watch(name)) for name in self._pages]
            yield
            for loop in loops:
                loop.cancel()

    async def _watch_head(self) -> None:
        query = "SELECT seq FROM raglive.heads JOIN raglive.pipelines USING (pipeline_key)"
        while True:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection = await asyncpg.connect(self._database, timeout=2)
                try:
                    while True:
                        seq = await connection.fetchval(query, timeout=2)
                        self._commits.append((asyncio.get_running_loop().time(), seq))
                        await asyncio.sleep(SAMPLE_SECONDS)
                finally:
                    connection.terminate()
            await asyncio.sleep(SAMPLE_SECONDS)

    async def _watch(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        while True:
            asked_at, cut_at = loop.time(), self.cut_at
            state, seq = await self._pages[name].page.evaluate(LOOKS % PIPELINE)
            missing = [at for at, reached in self._commits if reached > seq]
            lacks_since = min(
                [*missing[:1], *([cut_at] if cut_at is not None else [])], default=asked_at
            )
            old = asked_at - lacks_since
            self.samples += 1
            if state in {"live", "polling"} and old > LONGEST_SECONDS + LATE_SECONDS:
                self.found.append(f"{name}: {state} at {seq}, {old:.1f} s out of date")
            await asyncio.sleep(SAMPLE_SECONDS)


def stop_processes(processes: Iterable[psutil.Process]) -> Callable[[], None]:
    """Stop processes as a hang does; returns how to continue them."""
    stopped = list(processes)
    for process in stopped:
        process.suspend()

    def resume() -> None:
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.resume()

    return resume


def postgres(raglive: Installation) -> list[psutil.Process]:
    note = raglive.data_dir / "postgres" / "cluster" / "postmaster.pid"
    root = psutil.Process(int(note.read_text().split()[0]))
    return [root, *root.children(recursive=True)]


class Faults:
    """Hangs, kills and cuts; `sampler.cut_at` is set while nothing can answer from the database."""

    def __init__(
        self, raglive: Installation, pages: dict[str, Dashboard], sampler: Sampler
    ) -> None:
        self._raglive = raglive
        self._pages = pages.values()
        self._sampler = sampler

    async def inject(self, name: str, seconds: float) -> None:
        if name == "cut":
            await self._disconnect(seconds)
        elif name.startswith("kill "):
            self._raglive.child(name.removeprefix("kill ")).kill()
            await asyncio.sleep(seconds)
        else:
            await self._hang(name, seconds)

    async def _hang(self, name: str, seconds: float) -> None:
        if name == "database":
            processes = postgres(self._raglive)
        else:
            processes = [self._raglive.child(each) for each in name.split(" and ")]
        is_cut_off = name in CUTTING_OFF
        self._sampler.cut_at = asyncio.get_running_loop().time() if is_cut_off else None
        resume = stop_processes(processes)
        try:
            await asyncio.sleep(seconds)
            if is_cut_off and seconds >= LONGEST_SECONDS:
                for page in self._pages:
                    await expect_out_of_date(page)
        finally:
            resume()
            self._sampler.cut_at = None

    async def _disconnect(self, seconds: float) -> None:
        for page in self._pages:
            await page.page.context.set_offline(True)
        try:
            await asyncio.sleep(seconds)
        finally:
            for page in self._pages:
                await page.page.context.set_offline(False)


CUTTING_OFF = ("server and dashboard", "database")
OTHERS = ("server", "dashboard", "kill server", "kill dashboard", "cut")


def drawn_faults(chooser: random.Random) -> Iterator[tuple[str, float]]:
    """Draw what stops, and for how many seconds: always both servers, and the database."""
    for name in CUTTING_OFF:
        yield name, LONGEST_SECONDS
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        yield chooser.choice(CUTTING_OFF + OTHERS), chooser.uniform(2, 20)


async def expect_out_of_date(page: Dashboard) -> None:
    """Check that a page is grey, and says as of when its data is."""
    assert await page.page.locator("html").get_attribute("data-connection") in {"stale", "offline"}
    content = page.page.locator("[data-stales]").first
    assert "grayscale" in await content.evaluate("each => getComputedStyle(each).filter")
    await expect(content).to_contain_text("What you see is the state of")


async def test_stale_data_never_looks_fresh(tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    write_text(folder, 0)
    async with installed(folder, tmp_path / "data") as raglive, AsyncExitStack() as stack:
        await raglive.events()
        database = (await raglive.cli("db", "url"))[1].strip()
        pages = {
            "live": await stack.enter_async_context(
                dashboard(raglive.dashboard_url, raglive.token)
            ),
            "polling": await stack.enter_async_context(
                dashboard(raglive.dashboard_url, raglive.token)
            ),
        }
        polling = pages["polling"].page
        await polling.evaluate("localStorage.setItem('raglive.prefer-polling', 'yes')")
        await polling.reload()
        for state, page in pages.items():
            await page.expect_connection(state, within_seconds=20)
        sampler = Sampler(database, pages)
        async with sampler.running(), writing(folder):
            faults = Faults(raglive, pages, sampler)
            for fault, seconds in drawn_faults(random.Random(seed)):
                await faults.inject(fault, seconds)
                for state, page in pages.items():
                    await page.expect_connection(state, within_seconds=40)
        assert sampler.found == []
        assert sampler.samples > 20
        assert [page.errors for page in pages.values()] == [[], []]


@asynccontextmanager
async def writing(folder: Path) -> AsyncIterator[None]:
    """Write a file each second, so that there is always something to miss."""

    async def write() -> None:
        for number in range(1, 100_000):
            await asyncio.to_thread(write_text, folder, number)
            await asyncio.sleep(1)

    task = asyncio.create_task(write())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
