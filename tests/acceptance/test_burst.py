"""A burst of files in new folders, some of which are moved and deleted during the burst.

`BURST_FILES` sets their number; a few hundred suffice.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from pathlib import Path

import asyncpg
import pytest

from tests.acceptance.installation import Installation, installed

FILES = int(os.environ.get("BURST_FILES", "600"))
FILES_PER_FOLDER = 40
PATIENCE_SECONDS = 90 + FILES / 10

pytestmark = pytest.mark.timeout(PATIENCE_SECONDS + 120)

_INDEXED = """
SELECT location, string_agg(content, '' ORDER BY chunk_index) AS content
FROM raglive.files LEFT JOIN raglive.chunks USING (file_key)
WHERE state <> 'deleted' GROUP BY file_key
"""
_AT_REST = "SELECT sum(queued + processing) = 0 FROM raglive.heads"


class Burst:
    """Writes files into new folders, and changes, moves or deletes earlier ones."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._random = random.Random(seed)
        self._number = 0

    def run(self) -> None:
        """Write all files, and change, move or delete some of them in between."""
        while self._number < FILES:
            self._fill(self._new_folder())
            for act in (self._edit, self._rename, self._delete, self._move_folder, self._drop):
                if self._random.random() < 0.5:
                    act()

    def _new_folder(self) -> Path:
        parent = self._random.choice([self._folder, *self._folders()])
        made = parent / f"folder {self._number}" / "inner"
        made.mkdir(parents=True)
        return made

    def _fill(self, folder: Path) -> None:
        for _ in range(FILES_PER_FOLDER):
            self._number += 1
            self._write(folder / f"note {self._number}.txt")

    def _write(self, path: Path) -> None:
        path.write_text(f"Number {self._number}, drawn {self._random.getrandbits(64)}.")

    def _edit(self) -> None:
        for path in self._some_files():
            self._number += 1
            self._write(path)

    def _rename(self) -> None:
        for path in self._some_files():
            path.rename(self._random.choice(self._folders()) / f"moved {path.name}")

    def _delete(self) -> None:
        for path in self._some_files():
            path.unlink()

    def _move_folder(self) -> None:
        moved = self._random.choice(self._folders())
        if not any(child.is_dir() for child in moved.iterdir()):
            moved.rename(self._folder / f"moved {self._random.getrandbits(32)}")

    def _drop(self) -> None:
        dropped = self._random.choice(self._folders())
        if not any(child.is_dir() for child in dropped.iterdir()):
            shutil.rmtree(dropped)

    def _some_files(self) -> list[Path]:
        files = [path for path in self._folder.rglob("*") if path.is_file()]
        return self._random.sample(files, min(len(files), 10))

    def _folders(self) -> list[Path]:
        return [path for path in self._folder.rglob("*") if path.is_dir()] or [self._folder]


async def test_the_index_equals_the_folder_after_a_burst(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    async with installed(folder, tmp_path / "data", CHECK_INTERVAL="3600") as raglive:
        seed = random.getrandbits(32)
        print(f"burst seed {seed}")  # noqa: T201 - shown when it fails
        await asyncio.to_thread(Burst(folder, seed).run)
        expected = {
            str(path.relative_to(folder)): path.read_text()
            for path in folder.rglob("*")
            if path.is_file()
        }
        found = await indexed(raglive, expected)
        assert found == expected
        assert await raglive.json("verify") == {"ok": True, "problems": []}


async def indexed(raglive: Installation, expected: dict[str, str]) -> dict[str, str]:
    """Wait until the index is as expected or idle; return the indexed files by location."""
    _, dsn, _ = await raglive.cli("db", "url")
    connection = await asyncpg.connect(dsn.strip())
    try:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        while True:
            at_rest = await connection.fetchval(_AT_REST)
            rows = await connection.fetch(_INDEXED)
            found = {row["location"]: row["content"] for row in rows}
            if (at_rest and found == expected) or loop.time() > deadline:
                return found
            await asyncio.sleep(0.5)
    finally:
        await connection.close()
