"""Search on the page: passages with file and page number, filters, modes, no hits."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.acceptance.documents import pdf
from tests.acceptance.installation import Installation, installed
from tests.acceptance.page import Dashboard, dashboard

pytestmark = pytest.mark.timeout(240)


async def test_passages_are_found_filtered_and_opened(tmp_path: Path) -> None:
    folder, archive = tmp_path / "documents", tmp_path / "archive"
    folder.mkdir()
    archive.mkdir()
    (folder / "harbour.pdf").write_bytes(pdf("The harbour master smells of cinnamon."))
    (folder / "notes.txt").write_text("Cinnamon is bought at the market on Fridays.")
    (archive / "old.md").write_text("# Market\n\nCinnamon was bought on Mondays in those days.")
    async with installed(folder, tmp_path / "data") as raglive:
        await _index_too(raglive, archive)
        await raglive.until(lambda: any("2 searchable" in line for line in raglive.output))
        async with dashboard(f"{raglive.dashboard_url}/", raglive.token) as opened:
            await opened.expect_connection("live", within_seconds=15)
            await _goes_from_the_palette_to_the_page(opened.page)
            await _keeps_to_filters(opened.page)
            await _searches_by_words_or_meaning(opened.page)
            await _says_when_it_cannot(opened)
            assert opened.errors == []


async def _index_too(raglive: Installation, archive: Path) -> None:
    _, dsn, _ = await raglive.cli("db", "url")
    other = Installation(
        archive,
        raglive.data_dir,
        DATABASE_URL=dsn.strip(),
        RUN_MODE="single",
        RAG_PIPELINE_ID="archive",
    )
    status, _, errors = await other.cli("pipeline", "local-files", str(archive))
    assert status == 0, errors


async def _names(page: Page, *expected: str) -> None:
    hits = page.get_by_test_id("hit")
    await expect(hits).to_have_count(len(expected), timeout=10_000)
    found = await hits.evaluate_all("hits => hits.map(hit => hit.dataset.name)")
    assert sorted(found) == sorted(expected)


async def _goes_from_the_palette_to_the_page(page: Page) -> None:
    await page.keyboard.press("/")
    await page.get_by_role("combobox").fill("cinnamon")
    passages = page.get_by_role("option").filter(has_text="All passages, with filters")
    await passages.click()
    await expect(page.get_by_test_id("search-text")).to_have_value("cinnamon")
    await _names(page, "harbour.pdf", "notes.txt", "old.md")
    hit = page.locator('[data-testid="hit"][data-name="harbour.pdf"]')
    await expect(hit).to_have_attribute("data-page", "1")
    await expect(hit).to_contain_text("page 1")
    await expect(hit).to_contain_text("local-files-pipeline")
    await expect(hit.locator("mark")).to_have_text("cinnamon", ignore_case=True)


async def _keeps_to_filters(page: Page) -> None:
    await page.get_by_label("Pipeline", exact=True).select_option("archive")
    await _names(page, "old.md")
    await page.get_by_label("Type").select_option("pdf")
    await expect(page.get_by_text("Nothing is found")).to_be_visible()
    await page.get_by_role("button", name="Search in everything").click()
    await _names(page, "harbour.pdf", "notes.txt", "old.md")
    await page.get_by_label("Type").select_option("text")
    await _names(page, "notes.txt", "old.md")
    await page.get_by_label("Indexed").select_option("1d")
    await _names(page, "notes.txt", "old.md")
    await page.reload()  # the selection is in the URL
    await _names(page, "notes.txt", "old.md")
    await expect(page.get_by_label("Indexed")).to_have_value("1d")
    await page.get_by_label("Type").select_option("")
    await page.get_by_label("Indexed").select_option("")


async def _searches_by_words_or_meaning(page: Page) -> None:
    text = page.get_by_test_id("search-text")
    await page.get_by_role("button", name="By words").click()
    await text.fill("Fridays")
    await _names(page, "notes.txt")
    await text.fill("zeppelin")
    await expect(page.get_by_text("Nothing is found")).to_be_visible()
    await page.get_by_role("button", name="By meaning").click()
    await _names(page, "harbour.pdf", "notes.txt", "old.md")
    first = page.get_by_test_id("hit").first
    await expect(first).to_contain_text("found by its meaning")
    await page.get_by_role("button", name="Both").click()
    await text.fill("")
    await expect(page.get_by_text("What do you want to know?")).to_be_visible()


async def _says_when_it_cannot(opened: Dashboard) -> None:
    page = opened.page
    await page.context.set_offline(True)
    await page.get_by_test_id("search-text").fill("market")
    await expect(page.get_by_test_id("search-error")).not_to_be_empty()
    await page.context.set_offline(False)
    await page.get_by_test_id("search-text").fill("markets")
    await page.get_by_test_id("hit").first.get_by_role("link").click()
    await expect(page.get_by_test_id("file-page")).to_be_visible()
