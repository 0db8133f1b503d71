"""Take the pictures of docs/images from a running raglive: a still and a moving picture per theme.

`.venv/bin/python -m tools.take_pictures` needs Chromium and ffmpeg. It starts `raglive up` on the
example documents, copies more documents into the folder, and records the page in real time.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import product
from pathlib import Path
from typing import Literal

from playwright.async_api import Page, ViewportSize, async_playwright, expect

from tests.acceptance.installation import installed
from tests.acceptance.page import BROWSERS, QUIET, sign_in

ROOT = Path(__file__).parents[1]
DOCUMENTS = ROOT / "examples" / "documents"
SERVICE_CALLS = DOCUMENTS / "Kundendienst Süd" / "Service calls Q1 2026.csv"
IMAGES = ROOT / "docs" / "images"
PIPELINE_PAGE = "/pipeline/?id=local-files-pipeline"
SIZE: ViewportSize = {"width": 1120, "height": 680}
FRAMES_PER_SECOND = 6
SECONDS_BEFORE = 0.7
SECONDS_AFTER = 2.0
LONGEST_SECONDS = 40
LONGEST_MS = LONGEST_SECONDS * 1000
YEARS = range(2022, 2026)
MONTHS = range(1, 13)
CALLS_A_MONTH = 600

Theme = Literal["light", "dark"]


async def main() -> None:
    """Write every picture."""
    IMAGES.mkdir(exist_ok=True)
    themes: tuple[Theme, Theme] = ("light", "dark")
    for theme in themes:
        await _take(theme)


async def _take(theme: Theme) -> None:
    with tempfile.TemporaryDirectory(prefix="raglive-") as scratch:
        folder, archive, frames = (Path(scratch, name) for name in ("documents", "new", "frames"))
        shutil.copytree(DOCUMENTS, folder)
        _write_archive(archive)
        frames.mkdir()
        async with (
            installed(folder, Path(scratch, "data"), RAGLIVE_WORKERS="2") as raglive,
            _page(theme) as page,
        ):
            await sign_in(page, raglive.token)
            await page.goto(raglive.dashboard_url + PIPELINE_PAGE)
            await _until_done(page)
            await page.screenshot(path=frames / "still.png")
            await page.goto(raglive.dashboard_url)
            await _until_done(page)
            await _record(page, frames, archive, folder / SERVICE_CALLS.parent.name)
        _encode_still(frames / "still.png", IMAGES / f"dashboard-{theme}.png")
        _encode(frames, IMAGES / f"dashboard-{theme}.webp")


def _write_archive(folder: Path) -> None:
    """Write the service calls of earlier years: so many that files queue."""
    folder.mkdir()
    header, *calls = SERVICE_CALLS.read_text("utf-8").splitlines()
    for year, month in product(YEARS, MONTHS):
        lines = [calls[number % len(calls)] for number in range(CALLS_A_MONTH)]
        numbered = [f"{year}-{month:02}-{number:04},{line}" for number, line in enumerate(lines)]
        text = "\n".join([f"number,{header}", *numbered])
        (folder / f"{year}-{month:02}.csv").write_text(text, "utf-8")


@asynccontextmanager
async def _page(theme: Theme) -> AsyncIterator[Page]:
    browser_path = next(path for name in BROWSERS if (path := shutil.which(name)))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path, args=QUIET)
        try:
            page = await browser.new_page(viewport=SIZE, color_scheme=theme)
            yield page
        finally:
            await browser.close()


async def _record(page: Page, frames: Path, archive: Path, folder: Path) -> None:
    """Record from before the archive is copied until a while after every file is done."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    copying: asyncio.Task[object] | None = None
    worked = False
    ends_at = began + LONGEST_SECONDS
    for number in range(LONGEST_SECONDS * FRAMES_PER_SECOND):
        await page.screenshot(path=frames / f"{number:04}.png")
        now = loop.time()
        if copying is None and now - began > SECONDS_BEFORE:
            copy = partial(shutil.copytree, archive, folder / "Service calls")
            copying = asyncio.create_task(asyncio.to_thread(copy))
        done = await _is_done(page)
        worked = worked or not done
        if worked and done:
            ends_at = min(ends_at, now + SECONDS_AFTER)
        if now > ends_at:
            return
        await asyncio.sleep(max(0.0, began + (number + 1) / FRAMES_PER_SECOND - loop.time()))
    raise AssertionError("The files are not done.")


async def _until_done(page: Page) -> None:
    badge = page.locator('[data-testid="connection-badge"][data-state="live"]')
    await badge.wait_for()
    await expect(page.get_by_test_id("count-completed")).not_to_have_text("0", timeout=LONGEST_MS)
    for state in ("queued", "processing"):
        await expect(page.get_by_test_id(f"count-{state}")).to_have_text("0", timeout=LONGEST_MS)
    await page.wait_for_load_state("networkidle")


async def _is_done(page: Page) -> bool:
    queued, processing, completed = [
        await page.get_by_test_id(f"count-{state}").all_inner_texts()
        for state in ("queued", "processing", "completed")
    ]
    return queued == processing == ["0"] != completed


def _encode_still(screenshot: Path, target: Path) -> None:
    palette = "split[a][b];[a]palettegen=max_colors=128[p];[b][p]paletteuse=dither=none"
    command = ["ffmpeg", "-y", "-loglevel", "error", "-i", str(screenshot), "-vf", palette]
    subprocess.run([*command, str(target)], check=True, timeout=60)


def _encode(frames: Path, target: Path) -> None:
    command = ["ffmpeg", "-y", "-loglevel", "error", "-framerate", str(FRAMES_PER_SECOND)]
    command += ["-i", str(frames / "%04d.png"), "-c:v", "libwebp_anim", "-lossless", "1"]
    command += ["-compression_level", "6", "-loop", "0", str(target)]
    subprocess.run(command, check=True, timeout=300)


if __name__ == "__main__":
    asyncio.run(main())
