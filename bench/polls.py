"""What a viewer without WebSocket costs while nothing happens.

Runs the product on a few files, and then requests `/api/rag-status` with the ETag of the last
answer, over 32 kept-alive connections, as pages do that have fallen back to polling. A heartbeat of
the pipeline changes the ETag, so some answers are 200; only the 304 answers are counted. The CPU
time is that of the dashboard process alone. The same load on the same HTTP server with an
application that always answers 304 gives the ratio: the cost of authorization, status and ETag.

Does not show: polls that have missed events, waiting polls (`wait`), TLS, a proxy.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
from pathlib import Path

import httpx
import psutil

from bench.common.documents import write_notes
from bench.common.http_load import repeat_poll
from bench.common.rate import cpu_seconds
from bench.common.report import Report, is_quick
from tests.acceptance.installation import Installation, accepts_connections, installed

CONNECTIONS = 32
START_SECONDS = 30.0
UNLIMITED = {"RAGLIVE_SUBJECT_REQUESTS_PER_SECOND": "1000000"}


async def main() -> None:
    seconds = 4.0 if is_quick(__doc__) else 15.0
    report = Report("Unchanged polls", "polls that missed something, waiting polls, TLS, a proxy.")
    with tempfile.TemporaryDirectory(prefix="raglive-bench-") as place:
        folder = Path(place, "documents")
        write_notes(folder, 20)
        async with installed(folder, Path(place, "data"), **UNLIMITED) as installation:
            await installation.events()  # until all files are done
            etag = await settled_etag(installation)
            port = installation.ports["RAGLIVE_DASHBOARD_PORT"]
            dashboard = installation.child("dashboard")
            own = await measure(port, dashboard, etag, installation.token, seconds)
    bare = await measure_bare(seconds)
    report.figure("304 per CPU second, /api/rag-status", f"{own:,.0f}", ">= 3,000")
    report.figure("304 per CPU second, the bare server", f"{bare:,.0f}")
    report.figure("ratio", f"{own / bare:.2f}")
    report.show()


async def settled_etag(installation: Installation) -> str:
    async with httpx.AsyncClient(
        base_url=installation.dashboard_url, headers=installation.headers
    ) as client:
        answer = await client.get("/api/rag-status")
        return str(answer.raise_for_status().headers["etag"])


async def measure(
    port: int, process: psutil.Process, etag: str, token: str, seconds: float
) -> float:
    """Return the unchanged answers per CPU second of the process."""
    before = cpu_seconds(process)
    unchanged = await repeat_poll(
        port, "/api/rag-status", etag, token, connections=CONNECTIONS, seconds=seconds
    )
    return unchanged / (cpu_seconds(process) - before)


async def measure_bare(seconds: float) -> float:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.common.bare_server", str(port)
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await accepts_connections(port):
                await asyncio.sleep(0.05)
        return await measure(port, psutil.Process(process.pid), '"bare"', "none", seconds)
    finally:
        process.terminate()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(main())
