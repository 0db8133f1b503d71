"""What servers with 1,000 pipelines cost those who wait for them.

A status server runs on an embedded Postgres with 1,000 pipelines. Another process requests
`/health/live` every 10 ms; its slowest answer is the longest time for which something held the
event loop. Meanwhile clients publish batches of up to 10 MB, search 40 at a time, list the
pipelines, read `/status`, and subscribe to all of them. Then the first lines are repeated without
load. Then the same is measured of a dashboard server that has just started, while a client polls:
once without a cursor, then by difference in parts, without a change and after one. The size of each
answer is that of its body.

Does not show: networks, several of these at the same time, pipelines with long histories.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import httpx
import orjson
import socketio
from uuid6 import uuid7

from bench.common.documents import sentence
from bench.common.large_index import fill_index
from bench.common.publishers import batches
from bench.common.report import Report, is_quick, percentile
from bench.common.status_polls import Poller, dashboard
from bench.publish import start
from raglive.local_stack.embedded_postgres import EmbeddedPostgres
from raglive.store.migrate import migrate
from raglive.store.pool import Database
from raglive_contract.permissions import Role
from raglive_contract.socket import EVERY_PIPELINE
from tests.integration.status_server.serving import completed, online, publish, token

PIPELINES = 1000
SEARCHES = 40
CHUNKS = 500
AT_ONCE = 8
GOAL = "pause <= 50 ms"


class Probe:
    """The process that measures how long the event loop of a server is held."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout

    async def answers(self) -> list[float]:
        """Return the seconds that each answer took since the last call."""
        self._stdin.write(b"\n")
        took: list[float] = json.loads(await asyncio.wait_for(self._stdout.readline(), 60))
        return took


async def main() -> None:
    rounds = 3 if is_quick(__doc__) else 15
    report = Report(f"{PIPELINES} pipelines", "networks, several loads at once, long histories.")
    with tempfile.TemporaryDirectory(prefix="raglive-bench-") as place:
        async with EmbeddedPostgres(Path(place, "data"), password=secrets.token_hex(16)) as server:
            await migrate(server.dsn)
            await fill(server.dsn)
            status, port = await start(server.dsn, str(Path(place, "status")))
            try:
                await measure_all(report, port, rounds)
            finally:
                status.terminate()
                await status.wait()
            async with dashboard(server.dsn, str(Path(place, "dashboard"))) as port:
                await measure_polls(report, server.dsn, port, rounds)
    report.show()


async def measure_polls(report: Report, dsn: str, port: int, rounds: int) -> None:
    headers = {"Authorization": f"Bearer {token(Role.ADMIN)}"}
    address = f"http://127.0.0.1:{port}"
    database = await Database.connect(dsn, name="bench", max_size=1)
    try:
        async with (
            probing(port) as probe,
            httpx.AsyncClient(base_url=address, headers=headers, timeout=60) as http,
        ):
            for what, times, work, poller in polls(http, database, rounds):
                await measure(report, probe, what, times, work)
                size, longest = max(poller.sizes) / 1000, max(poller.took) * 1000
                found = f"{size:,.0f} KB and {longest:,.0f} ms at most, in {len(poller.sizes)}"
                report.figure("  its answers", found, "100 KB, 50 ms")
                poller.sizes.clear()
                poller.took.clear()
    finally:
        await database.close()


def polls(
    http: httpx.AsyncClient, database: Database, rounds: int
) -> Iterator[tuple[str, int, Callable[[], Awaitable[object]], Poller]]:
    poller = Poller(http)

    async def change() -> None:
        await publish(database, [completed(secrets.token_hex(4))], name(1), "reports")
        await asyncio.sleep(0.1)  # the server reads the database at most every 50 ms
        await poller.poll_all()

    yield "the first poll", 1, poller.plain, poller
    yield "a poll without a cursor", rounds, poller.plain, poller
    yield "a poll by difference, all parts", 1, poller.poll_all, poller
    yield "a poll by difference, unchanged", rounds, poller.poll_all, poller
    yield "a poll by difference, after a change", rounds, change, poller


async def fill(dsn: str) -> None:
    database = await Database.connect(dsn, name="bench", max_size=AT_ONCE)
    names = iter([name(number) for number in range(PIPELINES - 1)])  # and that of the index

    async def publish_each() -> None:
        for each in names:
            events = [online(), *(completed(f"{each}/{number}") for number in range(2))]
            await publish(database, events, each, "reports")

    try:
        await asyncio.gather(*(publish_each() for _ in range(AT_ONCE)))
        await fill_index(database, CHUNKS)
        await database.execute("ANALYZE")
    finally:
        await database.close()


def name(number: int) -> str:
    return f"pipeline-{number:04d}"


async def measure_all(report: Report, port: int, rounds: int) -> None:
    headers = {"Authorization": f"Bearer {token(Role.ADMIN)}"}
    address = f"http://127.0.0.1:{port}"
    async with (
        probing(port) as probe,
        httpx.AsyncClient(base_url=address, headers=headers, timeout=60) as http,
    ):
        await measure(report, probe, "nothing else", rounds, partial(asyncio.sleep, 0.5))
        await measure(report, probe, "the first search", 1, partial(search, http, 1))
        for what, bodies in batches_of_each_kind(rounds).items():
            publishing = partial(post, http, iter(bodies))
            await measure(report, probe, what, rounds, publishing)
        await measure(
            report, probe, f"{SEARCHES} searches at once", rounds, partial(search, http, SEARCHES)
        )
        for path in ("/v1/pipelines", "/status"):
            size = len((await http.get(path)).content)
            what = f"{path}, {size / 1000:,.0f} KB"
            await measure(report, probe, what, rounds, partial(get, http, path))
        await measure(report, probe, "subscribe to all", rounds, partial(subscribe, address))


def batches_of_each_kind(rounds: int) -> dict[str, list[bytes]]:
    files = list(islice(batches(name(0), 1000, prefix="a", whole_files=True), rounds))
    large = [
        orjson.dumps({"events": [update(1, 9_900) for _ in range(1000)]}) for _ in range(rounds)
    ]
    values = [
        orjson.dumps({"events": [update(36_000, 4) for _ in range(39)]}) for _ in range(rounds)
    ]
    refused = [b'{"events":[' + b"[]," * 3_300_000 + b"[]]}" for _ in range(rounds)]
    found = {
        "1,000 events": files,
        "1,000 large events": large,
        "events of many values": values,
        "many values that are refused": refused,
    }
    return {f"{what}, {len(bodies[0]) / 1e6:.1f} MB": bodies for what, bodies in found.items()}


def update(values: int, size: int) -> dict[str, object]:
    return {
        "id": str(uuid7()),
        "type": "status:update",
        "changes": {"values": ["v" * size] * values},
        "pipeline_id": name(1),
        "pipeline_type": "reports",
    }


async def measure(
    report: Report, probe: Probe, what: str, rounds: int, work: Callable[[], Awaitable[object]]
) -> None:
    """Report how long the work took, and the longest pause of the server meanwhile."""
    await probe.answers()
    took: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        await work()
        took.append(time.perf_counter() - began)
    await asyncio.sleep(0.5)  # what was published is delivered
    pauses = await probe.answers()
    p50, p99 = (f"{percentile(took, share) * 1000:,.0f}" for share in (0.5, 0.99))
    pause = f"pause {max(pauses) * 1000:,.0f} ms"
    report.figure(what, f"p50 {p50} ms, p99 {p99} ms; {pause}", GOAL)


async def post(http: httpx.AsyncClient, bodies: Iterator[bytes]) -> None:
    answer = await http.post("/v1/events", content=next(bodies))
    if answer.status_code not in {200, 422}:
        raise ValueError(f"an answer was {answer.text[:300]}")


async def search(http: httpx.AsyncClient, at_once: int) -> None:
    made = random.Random()  # noqa: S311
    paths = [f"/v1/search?limit=20&q={quote(sentence(made, 5))}" for _ in range(at_once)]
    answers = await asyncio.gather(*map(http.get, paths))
    for answer in answers:
        answer.raise_for_status()


async def get(http: httpx.AsyncClient, path: str) -> None:
    (await http.get(path)).raise_for_status()


async def subscribe(address: str) -> None:
    client = socketio.AsyncClient(reconnection=False)
    await client.connect(
        address, auth={"token": token()}, namespaces=[EVERY_PIPELINE], transports=["websocket"]
    )
    try:
        answer = await client.call("subscribe", {}, namespace=EVERY_PIPELINE, timeout=60)
        if len(answer.get("pipelines", ())) != PIPELINES:
            raise ValueError(f"an answer was {str(answer)[:300]}")
    finally:
        await client.disconnect()


@asynccontextmanager
async def probing(port: int) -> AsyncIterator[Probe]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.common.prober", str(port)), stdin=PIPE, stdout=PIPE
    )
    try:
        yield Probe(process)
    finally:
        process.kill()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(main())
