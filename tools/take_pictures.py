"""Take the pictures of docs/images from a running raglive: stills, and a recording as GIF.

`.venv/bin/python -m tools.take_pictures` needs Chromium and ffmpeg. It indexes a copy of the
example documents, file by file, in real time; nothing on the page is staged.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from playwright.async_api import Page, ViewportSize, async_playwright

from tests.acceptance.installation import Installation, installed
from tests.acceptance.page import BROWSERS, QUIET

ROOT = Path(__file__).parents[1]
DOCUMENTS = ROOT / "examples" / "documents"
IMAGES = ROOT / "docs" / "images"
PIPELINE_PAGE = "/pipeline/?id=local-files-pipeline"
SIZE: ViewportSize = {"width": 1120, "height": 720}
FRAMES_PER_SECOND = 8
SECONDS = 14
SECONDS_BETWEEN_FILES = 0.6

Theme = Literal["light", "dark"]


async def main() -> None:
    """Write every picture."""
    IMAGES.mkdir(exist_ok=True)
    themes: tuple[Theme, Theme] = ("light", "dark")
    for theme in themes:
        await _take(theme)


async def _take(theme: Theme) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder, frames = Path(scratch, "documents"), Path(scratch, "frames")
        folder.mkdir()
        frames.mkdir()
        async with (
            installed(folder, Path(scratch, "data")) as raglive,
            _page(raglive, theme) as page,
        ):
            copying = asyncio.create_task(_copy_one_by_one(folder))
            await _record(page, frames)
            await copying
            await page.wait_for_function(
                "window.__raglive.pipelines()['local-files-pipeline'].verified > 30"
            )
            await page.screenshot(path=IMAGES / f"dashboard-{theme}.png")
        _encode(frames, IMAGES / f"dashboard-{theme}.gif")


@asynccontextmanager
async def _page(raglive: Installation, theme: Theme) -> AsyncIterator[Page]:
    browser_path = next(path for name in BROWSERS if (path := shutil.which(name)))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path, args=QUIET)
        try:
            page = await browser.new_page(viewport=SIZE, color_scheme=theme)
            await page.goto(raglive.dashboard_url + PIPELINE_PAGE)
            badge = page.locator('[data-testid="connection-badge"][data-state="live"]')
            await badge.wait_for()
            yield page
        finally:
            await browser.close()


async def _copy_one_by_one(folder: Path) -> None:
    files = sorted(path for path in DOCUMENTS.rglob("*") if path.is_file())
    for source in files:
        target = folder / source.relative_to(DOCUMENTS)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        await asyncio.sleep(SECONDS_BETWEEN_FILES)


async def _record(page: Page, frames: Path) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(SECONDS * FRAMES_PER_SECOND):
        await page.screenshot(path=frames / f"{number:04}.png")
        await asyncio.sleep(max(0.0, began + (number + 1) / FRAMES_PER_SECOND - loop.time()))


def _encode(frames: Path, target: Path) -> None:
    palette = "split[a][b];[a]palettegen=max_colors=64[p];[b][p]paletteuse=dither=none"
    command = ["ffmpeg", "-y", "-loglevel", "error", "-framerate", str(FRAMES_PER_SECOND)]
    command += ["-i", str(frames / "%04d.png"), "-vf", palette, str(target)]
    subprocess.run(command, check=True, timeout=300)


if __name__ == "__main__":
    asyncio.run(main())
