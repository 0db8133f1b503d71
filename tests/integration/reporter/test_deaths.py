"""Accepted events are in the log once and in order after any process is killed."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from raglive.store.pool import Database
from raglive_contract.digest import roll
from raglive_reporter import AsyncReporter, Reporter
from tests.integration.reporter import reporting_process
from tests.integration.reporter.conftest import ReadLog, Settings
from tests.integration.reporter.status_process import PIPELINE, StatusProcess, producer_token


@pytest.mark.drawn(1)
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_killed_server(
    seed: int,
    server: StatusProcess,
    settings: Settings,
    read_log: ReadLog,
    database: Database,
) -> None:
    chance = random.Random(seed)
    threads, files = 3, 60
    reported = 0

    def work(reporter: Reporter, thread: int) -> None:
        nonlocal reported
        for number in range(files):
            with reporter.file(f"{thread}-{number}", id=f"{thread}-{number}") as file:
                file.progress(0.5)
            reported += 1

    def all_threads() -> None:
        with Reporter(PIPELINE, url=server.url, **settings) as reporter:
            working = [threading.Thread(target=work, args=(reporter, n)) for n in range(threads)]
            for thread in working:
                thread.start()
            for thread in working:
                thread.join(60)
            assert reporter.flush(60) == 0

    reporting = asyncio.create_task(asyncio.to_thread(all_threads))
    for _ in range(3):
        await read_log(within=chance.randrange(1, threads * files))
        await server.kill()
        await server.start()
    await asyncio.wait_for(reporting, 90)

    log = await read_log()
    for thread in range(threads):
        printed = [
            (e["file_id"], e["type"]) for e in log if (e["file_id"] or "").startswith(f"{thread}-")
        ]
        assert printed == [
            (f"{thread}-{number}", kind)
            for number in range(files)
            for kind in ("file:processing", "file:completed")
        ]
    await _assert_whole(log, database)


async def test_a_killed_reporter(
    server: StatusProcess, settings: Settings, read_log: ReadLog, tmp_path: Path, database: Database
) -> None:
    chance = random.Random(3)
    printed: list[int] = []
    firsts = [0]
    for _ in range(3):
        if chance.random() < 0.5:
            await server.kill()
        process = await _launch(server.url, tmp_path, firsts[-1], 10_000)
        assert process.stdout is not None
        enough = firsts[-1] + chance.randrange(40)
        while not printed or printed[-1] < enough:
            printed += [int(await asyncio.wait_for(process.stdout.readline(), 60))]
        process.kill()
        printed += [int(line) for line in (await process.stdout.read()).split(b"\n") if line]
        await process.wait()
        firsts.append(printed[-1] + 1)
        await server.kill()
        await server.start()
    process = await _launch(server.url, tmp_path, firsts[-1], 5)
    output, _ = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 0
    printed += map(int, output.split())

    assert printed == list(range(len(printed)))
    log = await read_log()
    completed = [int(e["file_id"]) for e in log if e["type"] == "file:completed"]
    assert completed == sorted(completed)
    assert sorted(set(completed)) == printed
    again = {number for number, times in Counter(completed).items() if times > 1}
    assert again <= set(firsts)  # killed after the outbox and before its output: a second attempt
    assert [e["type"] for e in log].count("pipeline:offline") == 1
    await _assert_whole(log, database)


async def test_processes_share_an_outbox_and_one_of_them_is_killed(
    server: StatusProcess, read_log: ReadLog, tmp_path: Path, database: Database
) -> None:
    count = 30
    launches = [_launch(server.url, tmp_path, base, n) for base, n in _shares(count)]
    one, two, doomed = await asyncio.gather(*launches)
    assert doomed.stdout is not None
    await asyncio.wait_for(doomed.stdout.readline(), 60)
    doomed.kill()
    printed = [0] + [int(line) for line in (await doomed.stdout.read()).split(b"\n") if line]
    for process in (one, two):
        await asyncio.wait_for(process.communicate(), 90)
        assert process.returncode == 0

    log = await read_log()
    completed = [int(e["file_id"]) for e in log if e["type"] == "file:completed"]
    for base in (1000, 2000):
        mine = [number for number in completed if base <= number < base + 1000]
        assert mine == list(range(base, base + count))
    kinds = Counter(event["type"] for event in log)
    assert kinds["pipeline:online"] - kinds["pipeline:offline"] in {0, 1}
    await _assert_whole(log, database)
    assert set(printed[1:]) <= {number for number in completed if number >= 3000}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
async def test_children_of_a_fork_continue_to_report(
    server: StatusProcess, settings: Settings, read_log: ReadLog
) -> None:
    """As in a pre-forking server: opened once, used by every child, closed by the parent."""
    reporter = Reporter(PIPELINE, url=server.url, **settings)
    reporter.open()
    fork = multiprocessing.get_context("fork")
    for name in ("warm", "up"):
        with reporter.file(name):
            pass
    children = [fork.Process(target=_child, args=(reporter, n)) for n in range(3)]
    for child in children:
        child.start()
    with reporter.file("meanwhile"):
        pass
    for child in children:
        await asyncio.to_thread(child.join, 60)
        assert child.exitcode == 0
    assert await asyncio.to_thread(reporter.close) == 0
    log = await read_log()
    assert Counter(e["type"] for e in log) == {
        "pipeline:online": 1,
        "file:processing": 33,
        "file:completed": 33,
        "pipeline:offline": 1,
    }
    assert log[-1]["type"] == "pipeline:offline"


def _child(reporter: Reporter, number: int) -> None:
    for n in range(10):
        with reporter.file(f"{number}-{n}") as file:
            file.progress(0.5)
    assert reporter.flush(50) == 0


async def test_a_pipeline_without_heartbeats_is_reported_online_again(
    server: StatusProcess,
    settings: Settings,
    read_log: ReadLog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("raglive_reporter.delivery.OFFLINE_AFTER_SECONDS", 0.0)
    async with AsyncReporter(PIPELINE, url=server.url, **settings):
        log = await read_log(within=2)
    assert {event["type"] for event in log} == {"pipeline:online"}


def _shares(count: int) -> Iterable[tuple[int, int]]:
    return (1000, count), (2000, count), (3000, 10_000)


async def _launch(url: str, folder: Path, first: int, count: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        reporting_process.__file__,
        url,
        producer_token(),
        str(folder / "outbox.sqlite3"),
        str(first),
        str(count),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )


async def _assert_whole(log: list[dict[str, Any]], database: Database) -> None:
    digest = b""
    for seq, event in enumerate(log, 1):
        assert event["seq"] == seq
        digest = roll(digest, event["id"], seq)
    assert len({event["id"] for event in log}) == len(log)
    assert digest == await database.fetchval("SELECT digest FROM raglive.heads")
