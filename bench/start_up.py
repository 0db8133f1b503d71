"""From `raglive up` to a page that works.

Measures, on examples/documents, how long a user waits for each process, for the page and for the
first search results, with an empty data folder and again with a full one. It also measures the CPU
time of all processes until then, which tells a slow start from a busy machine, and the commands
`raglive --version`, `raglive status` and `raglive search`.

Does not show: `make up` before everything is installed, a machine with a cold disk cache, Supabase.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from bench.common.report import Report, is_quick
from tests.acceptance.installation import COMMAND, Installation, running

DOCUMENTS = Path(__file__).parents[1] / "examples" / "documents"
MOMENTS = {
    "database": "✓ database",
    "status server": "✓ status server",
    "dashboard": "✓ dashboard",
    "pipeline": "✓ local files",
    "first files searchable": "files: ",
}
PATIENCE_SECONDS = 60.0


async def main() -> None:
    quick = is_quick(__doc__)
    report = Report("Start-up", "installation, cold disks, a database elsewhere.")
    with tempfile.TemporaryDirectory(prefix="raglive-bench-") as data:
        installation = Installation(DOCUMENTS, Path(data))
        await measure_up(report, installation, "empty data folder", "<= 8 s to the page")
        await measure_up(report, installation, "full data folder", "<= 8 s to the page")
        async with running(installation):
            for words in (["--version"], ["status"], ["search", "heat pump error E42"]):
                await measure_command(report, installation, words, 3 if quick else 10)
    report.show()


async def measure_up(report: Report, installation: Installation, which: str, goal: str) -> None:
    began = time.perf_counter()
    task = asyncio.create_task(_moments(installation, began))
    async with running(installation, until="raglive watches"):
        page = await _page_answers(installation, began)
        cpu = _cpu_seconds(installation)
        moments = await task
    report.figure(f"up, {which}: page works", f"{page:.2f} s ({cpu:.2f} s CPU)", goal)
    for name, seconds in moments.items():
        report.figure(f"    {name}", f"{seconds:.2f} s")


async def _moments(installation: Installation, began: float) -> dict[str, float]:
    """Return the time of each line that `up` prints."""
    found: dict[str, float] = {}
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(found) < len(MOMENTS):
            await asyncio.sleep(0.005)
            output = "".join(installation.output)
            now = time.perf_counter() - began
            found |= {
                name: now for name, mark in MOMENTS.items() if mark in output and name not in found
            }
    return found


async def _page_answers(installation: Installation, began: float) -> float:
    """Return when the page and its first requests succeed and show the pipeline."""
    paths = ("/", "/api/socket/info", "/api/rag-status")
    async with httpx.AsyncClient(
        base_url=installation.dashboard_url, headers=installation.headers, timeout=10
    ) as client:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with suppress(httpx.HTTPError):
                    answers = [await client.get(path) for path in paths]
                    if all(a.is_success for a in answers) and answers[2].json()["pipelines"]:
                        return time.perf_counter() - began
                await asyncio.sleep(0.02)


def _cpu_seconds(installation: Installation) -> float:
    processes = [psutil.Process(installation.process.pid), *installation.children()]
    spent = 0.0
    for process in processes:
        with suppress(psutil.Error):
            times = process.cpu_times()
            spent += times.user + times.system
    return spent


async def measure_command(
    report: Report, installation: Installation, words: list[str], repeats: int
) -> None:
    walls, cpus = [], []
    for _ in range(repeats):
        before, began = os.times(), time.perf_counter()
        status, _, errors = await installation.cli(*words)
        if status != 0:
            raise RuntimeError(f"{COMMAND} {words} failed: {errors}")
        walls.append(time.perf_counter() - began)
        after = os.times()
        cpus.append(
            after.children_user
            + after.children_system
            - before.children_user
            - before.children_system
        )
    what = f"raglive {words[0]}"
    report.figure(what, f"{min(walls):.2f} s ({min(cpus):.2f} s CPU), best of {repeats}")


if __name__ == "__main__":
    asyncio.run(main())
