"""From saving a small file until it is searchable, and until a viewer sees that it is completed.

Runs the whole product on an empty folder, and saves small Markdown files one after the other, each
when the previous one is done. One half is written and closed. The other half is written elsewhere
and renamed into the folder. It measures from the close (or rename) until a transaction of another
process sees the file's chunks, and until a Socket.IO viewer has received `file:completed`. The log
shows where the time goes: until the file was noticed, until it was claimed, and in processing.

Does not show: large files, several files at once (bench/ingest.py), embedding providers, network
drives, the rendering in browsers.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from bench.common.report import Report, is_quick
from bench.common.viewer import viewing
from tests.acceptance.installation import Installation, installed

GOAL = "p50 <= 300 ms"
WARM_UP = 5
PATIENCE_SECONDS = 20.0
_SEARCHABLE = """
SELECT 1 FROM raglive.chunks JOIN raglive.files USING (file_key)
WHERE name = $1 AND content LIKE '%' || $2 || '%' LIMIT 1
"""
_STAGES = """
SELECT extract(epoch FROM first_seen_at)::float8 AS seen,
       extract(epoch FROM started_at)::float8 AS claimed,
       extract(epoch FROM finished_at)::float8 AS ended,
       (results ->> 'processing_duration')::float8 AS processed
FROM raglive.files WHERE name = $1
"""

Save = Callable[[Path, str], float]


def write_and_close(path: Path, text: str) -> float:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
    return time.time()


def write_and_rename(path: Path, text: str) -> float:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
    return time.time()


WAYS: dict[str, Save] = {"write, close": write_and_close, "write, rename": write_and_rename}


class Seen:
    """The events that the viewer has received, with their times."""

    def __init__(self) -> None:
        self._completed: dict[str, float] = {}
        self._changed = asyncio.Event()

    def take(self, event: str, body: dict[str, Any]) -> None:
        if event == "file:completed":
            self._completed[body["file"]["name"]] = time.time()
            self._changed.set()

    async def completed(self, name: str) -> float:
        while name not in self._completed:
            self._changed.clear()
            await self._changed.wait()
        return self._completed[name]


async def main() -> None:
    count = 20 if is_quick(__doc__) else 100
    report = Report(
        "Saved file to searchable",
        "large files, many at once, a provider's embeddings, network disks, a browser's rendering.",
    )
    with tempfile.TemporaryDirectory(prefix="raglive-bench-") as place:
        folder = Path(place, "documents")
        folder.mkdir()
        async with installed(folder, Path(place, "data")) as installation:
            await measure(report, installation, count)
    report.show()


async def measure(report: Report, installation: Installation, count: int) -> None:
    _, dsn, _ = await installation.cli("db", "url")
    connection = await asyncpg.connect(dsn.strip())
    seen = Seen()
    try:
        async with viewing(installation, seen.take):
            for way, save in WAYS.items():
                found: dict[str, list[float]] = defaultdict(list)
                for number in range(count + WARM_UP):
                    name = f"{way.replace(', ', '-')}-{number}.md"
                    times = await one_file(connection, seen, installation.folder / name, save)
                    if number >= WARM_UP:
                        for what, seconds in times.items():
                            found[what].append(seconds)
                for what, values in found.items():
                    goal = GOAL if what == "searchable" else ""
                    report.times(f"{way}: {what}", values, goal)
    finally:
        await connection.close()


async def one_file(
    connection: asyncpg.Connection, seen: Seen, path: Path, save: Save
) -> dict[str, float]:
    """Save a file; return the time that each step took from then, in seconds."""
    mark = f"mark{time.time_ns()}"
    async with asyncio.timeout(PATIENCE_SECONDS):
        saved = save(path, _text(mark))
        viewer = asyncio.create_task(seen.completed(path.name))
        while await connection.fetchval(_SEARCHABLE, path.name, mark) is None:
            await asyncio.sleep(0.001)
        searchable = time.time()
        told = await viewer
        row = await connection.fetchrow(_STAGES, path.name)
    assert row is not None
    return {
        "searchable": searchable - saved,
        "viewer told": told - saved,
        "  of it: until in the registry": row["seen"] - saved,
        "  until claimed": row["claimed"] - row["seen"],
        "  extracted, chunked, embedded": row["processed"],
        "  stored": row["ended"] - row["claimed"] - row["processed"],
    }


def _text(mark: str) -> str:
    day = datetime.now().astimezone().strftime("%A, %d %B %Y")
    paragraph = (
        f"On {day} the pump in the cellar reported {mark}. The technician cleaned the filter, "
        "checked the pressure, and wrote down what the customer said. "
    )
    return f"# Service report {mark}\n\n" + "\n\n".join([paragraph * 4] * 4)


if __name__ == "__main__":
    asyncio.run(main())
