"""A single run over a folder: how it ends, and how the index then compares with the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from raglive.app.source_verification import verify_sources
from raglive.cli.running import exit_status_of
from raglive_contract.errors import RagliveError
from tests.integration.ingest.ingesting import ingest, wired

BUILT_IN = {"EMBEDDING_PROVIDER": "builtin", "EMBEDDING_MODEL": "builtin"}


async def test_a_run_tells_failed_files_and_held_deletions_apart(dsn: str, tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "fine.txt").write_text("Words that can be found.")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4\nnothing else")

    with pytest.raises(RagliveError, match="1 file failed") as failed:
        await ingest(dsn, folder, "", **BUILT_IN)
    assert exit_status_of(failed.value) == 5

    installation = wired(dsn, "", **BUILT_IN)
    assert await verify_sources(installation, None, None) == []
    (folder / "new.txt").write_text("Not read yet.")
    (folder / "fine.txt").write_text("Other words.")
    found = await verify_sources(installation, None, None)
    assert {one.code: one.message.rpartition(": ")[2] for one in found} == {
        "missing_in_index": "new.txt.",
        "outdated_in_index": "fine.txt.",
    }

    folder.rename(tmp_path / "elsewhere")
    folder.mkdir()  # as when a disk is not mounted
    with pytest.raises(RagliveError, match="2 missing files") as held:
        await ingest(dsn, folder, "", **BUILT_IN)
    assert exit_status_of(held.value) == 4
