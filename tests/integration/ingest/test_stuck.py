"""A file whose extraction or embedding hangs is reported as stuck until it continues."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from raglive.ingest import worker
from raglive.store.pool import Database

from .ingesting import document, watching, wired
from .providing import DIMENSIONS, Provider, provider

STAGES = ("extraction", "embedding")
STANDING = "SELECT raglive.standing(files) FROM raglive.files WHERE name = $1"
STUCK = """
    SELECT payload #>> '{changes,files_stuck,files,0,stage}' FROM raglive.events
    WHERE payload -> 'changes' ? 'files_stuck'
"""


def hang_reading(_: Provider) -> Callable[[], None]:
    """Stop the extraction processes; return a function that continues them."""
    children = psutil.Process().children(recursive=True)
    readers = [one for one in children if "raglive.extraction" in " ".join(one.cmdline())]
    assert readers
    for one in readers:
        one.suspend()

    def go_on() -> None:
        for one in readers:
            one.resume()

    return go_on


def hang_embedding(paid: Provider) -> Callable[[], None]:
    """Let the provider hang; return a function that makes it answer."""
    paid.holds_at = "hangs"
    return paid.released.set


@pytest.mark.parametrize("hang", [hang_reading, hang_embedding], ids=STAGES)
async def test_a_hanging_file_is_stuck_until_it_progresses(
    dsn: str,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hang: Callable[[Provider], Callable[[], None]],
) -> None:
    monkeypatch.setattr(worker, "RECOVERY_SECONDS", 0.1)
    settings = {
        "RAGLIVE_EMBEDDING_DIMENSIONS": str(DIMENSIONS),
        "RAGLIVE_STUCK_SECONDS": "2",
    }

    async def stands(name: str, standing: str) -> None:
        while await database.fetchval(STANDING, name) != standing:
            await asyncio.sleep(0.02)

    (tmp_path / "first.txt").write_text(document("first", 1))
    async with provider() as paid:
        wiring = wired(dsn, paid.url, **settings)
        async with watching(wiring, tmp_path) as service, asyncio.timeout(60):
            await stands("first.txt", "completed")
            go_on = hang(paid)
            try:
                (tmp_path / "hangs.txt").write_text(document("hangs", 1))
                await stands("hangs.txt", "stuck")
            finally:
                go_on()
            await stands("hangs.txt", "completed")
            (tmp_path / "empty.txt").touch()
            await stands("empty.txt", "skipped")
            counted = service.metrics.registry.get_sample_value
            skipped = {"outcome": "skipped", "code": "empty"}
            assert counted("raglive_attempts_total", skipped) == 1
            embedded = {"outcome": "ok"}
            assert counted("raglive_embedding_request_seconds_count", embedded) == paid.requests
            assert counted("raglive_embedding_tokens_total")
    assert [row[0] for row in await database.fetch(STUCK)] == [STAGES[hang is hang_embedding]]
