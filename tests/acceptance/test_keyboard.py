"""Popovers, tooltips and the palette by keyboard, in a real browser and without a server."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.async_api import Locator, Page, expect

from raglive.dashboard.web_app import BUILT_APP
from tests.acceptance.page import dashboard

PHONE = 390
DESKTOP = 1120


class _Files(SimpleHTTPRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


@pytest.fixture
def app() -> Iterator[str]:
    """Serve the built app alone; return its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(BUILT_APP))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
async def test_what_floats_opens_and_closes_by_keyboard(app: str, width: int) -> None:
    async with dashboard(app) as opened:
        page = opened.page
        await page.set_viewport_size({"width": width, "height": 760})
        badge = page.get_by_test_id("connection-badge")
        await _opens_a_popover(page, badge, page.get_by_role("dialog", name="Connection"))
        switch = page.get_by_role("button", name="Choose a pipeline")
        await _opens_a_popover(page, switch, page.get_by_role("dialog", name="Pipelines"))
        await _describes(page, page.get_by_role("button", name=re.compile("Theme")))
        await _opens_the_palette(page)
        assert opened.errors == []


async def _opens_a_popover(page: Page, button: Locator, panel: Locator) -> None:
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(panel).to_be_visible()
    await expect(button).to_have_attribute("aria-expanded", "true")
    await expect(panel.locator(":scope:focus, :focus")).to_have_count(1)
    box, size = await panel.bounding_box(), page.viewport_size
    assert box is not None
    assert size is not None
    assert 0 <= box["x"] <= size["width"] - box["width"]
    await page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()
    await expect(button).to_have_attribute("aria-expanded", "false")
    await expect(button).to_be_focused()
    await button.click()
    await expect(panel).to_be_visible()
    await button.click()
    await expect(panel).to_be_hidden()
    await button.click()
    await page.mouse.click(5, 700)
    await expect(panel).to_be_hidden()


async def _describes(page: Page, button: Locator) -> None:
    tooltip = page.get_by_role("tooltip")
    await button.focus()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Shift+Tab")
    await expect(tooltip).to_have_text("Theme: as the system")
    await expect(button).to_have_accessible_description("Theme: as the system")
    await page.keyboard.press("Escape")
    await expect(tooltip).to_be_hidden()
    await expect(button).to_be_focused()
    await button.hover()
    await expect(tooltip).to_be_visible()
    await tooltip.hover()
    await expect(tooltip).to_be_visible()
    await page.mouse.move(5, 500)
    await expect(tooltip).to_be_hidden()


async def _opens_the_palette(page: Page) -> None:
    search = page.get_by_test_id("search")
    palette = page.get_by_role("dialog", name="Commands")
    await search.focus()
    await page.keyboard.press("Control+k")
    await expect(palette).to_be_visible()
    text = palette.get_by_role("combobox")
    await expect(text).to_be_focused()
    for _ in range(3):  # the focus stays in the dialog
        await page.keyboard.press("Tab")
    await expect(search).not_to_be_focused()
    await page.keyboard.press("Escape")
    await expect(palette).to_be_hidden()
    await expect(search).to_be_focused()
    await page.keyboard.press("Control+k")
    await expect(text).to_be_focused()
    await page.mouse.click(5, 700)
    await expect(palette).to_be_hidden()
