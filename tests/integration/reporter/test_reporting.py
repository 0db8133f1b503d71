"""Reports of files, from a pipeline into the log."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from raglive.store.pool import Database
from raglive_contract.errors import RagliveError
from raglive_reporter import AsyncReporter, Reporter
from tests.integration.reporter.conftest import ReadLog, Settings
from tests.integration.reporter.listening import listening
from tests.integration.reporter.status_process import PIPELINE, StatusProcess


def _report(url: str, settings: Settings) -> None:
    with Reporter(PIPELINE, url=url, **settings) as reporter:
        with reporter.file("a.pdf", size=3, mime_type="application/pdf", folder="x") as file:
            file.progress(0.4, stage="embedding")
            file.complete(chunks_created=12, content_length=700)
        with reporter.file("b.pdf"):
            pass
        with pytest.raises(FileNotFoundError), reporter.file("c.pdf", stage="chunking"):
            raise FileNotFoundError("\udce4 is gone\0")
        with reporter.file("d.png") as file:
            file.skip("unsupported", "A picture.")
        with reporter.file("b.pdf", id="b"), reporter.file("b.pdf") as again:
            assert again.attempt == 2
        reporter.deleted("a.pdf", folder="x")
        reporter.update({"cause": "test"})


async def test_reported_events_are_in_the_log(
    server: StatusProcess, settings: Settings, read_log: ReadLog, database: Database
) -> None:
    await asyncio.to_thread(_report, server.url, settings)

    log = await read_log()
    kinds = [event["type"].removeprefix("file:") for event in log]
    assert kinds == [
        "pipeline:online",
        *("processing", "completed"),
        *("processing", "completed"),
        *("processing", "failed"),
        *("processing", "skipped"),
        *("processing", "processing", "completed", "completed"),
        "deleted",
        "status:update",
        "pipeline:offline",
    ]
    completed, failed, offline = log[2]["payload"], log[6]["payload"], log[-1]["payload"]
    assert completed["results"]["chunks_created"] == 12
    assert completed["results"]["embeddings_generated"] == 12
    assert [it["stage"] for it in completed["stages"]] == ["extraction", "embedding"]
    assert failed["error"]["code"] == "file_not_found_error"
    assert failed["error"]["stage"] == "chunking"
    assert failed["error"]["message"] == "? is gone\N{REPLACEMENT CHARACTER}"
    assert offline["reason"] == "normal_shutdown"
    rows = await database.fetch(
        "SELECT name, state, attempt FROM raglive.files WHERE state <> 'deleted' ORDER BY 1, 2, 3"
    )
    assert [tuple(row) for row in rows] == [
        ("b.pdf", "completed", 1),
        ("b.pdf", "completed", 2),
        ("c.pdf", "failed", 1),
        ("d.png", "skipped", 1),
    ]


async def test_reports_from_asyncio(
    server: StatusProcess, settings: Settings, read_log: ReadLog
) -> None:
    with pytest.raises(ValueError, match="no luck"):
        await _many_then_an_error(server.url, settings)
    log = await read_log()
    assert len(log) == 42
    assert log[-1]["payload"]["reason"] == "error"
    ended = asyncio.create_task(_cancelled(server.url, settings))
    await asyncio.wait({ended}, timeout=60)
    assert ended.cancelled()
    *_, failed, offline = await read_log()
    assert failed["payload"]["error"]["code"] == "interrupted"
    assert failed["payload"]["error"]["retryable"]
    assert offline["payload"]["reason"] == "normal_shutdown"


async def _many_then_an_error(url: str, settings: Settings) -> None:
    async with AsyncReporter(PIPELINE, url=url, **settings) as reporter:
        async with asyncio.TaskGroup() as tasks:
            for number in range(20):
                tasks.create_task(_one(reporter, number))
        assert await reporter.flush(30) == 0
        raise ValueError("no luck")


async def _one(reporter: AsyncReporter, number: int) -> None:
    async with reporter.file(f"{number}.pdf") as file:
        file.progress(0.5, "storing")
        await file.complete(chunks_created=number)


async def _cancelled(url: str, settings: Settings) -> None:
    async with AsyncReporter(PIPELINE, url=url, **settings) as reporter, reporter.file("x"):
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(60)


async def test_threads_share_a_reporter(
    server: StatusProcess, settings: Settings, read_log: ReadLog
) -> None:
    def work(reporter: Reporter, thread: int) -> None:
        for number in range(25):
            with reporter.file(f"{thread}-{number}", id=f"{thread}") as file:
                file.progress(1.0)

    def all_threads() -> None:
        with Reporter(PIPELINE, url=server.url, **settings) as reporter:
            threads = [threading.Thread(target=work, args=(reporter, n)) for n in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)

    await asyncio.to_thread(all_threads)
    log = await read_log()
    assert len(log) == 6 * 50 + 2
    for thread in range(6):
        attempts = [e["payload"]["attempt"] for e in log if e["file_id"] == str(thread)]
        assert attempts == [attempt for attempt in range(1, 26) for _ in "se"]


async def test_progress_and_heartbeats_are_shown_and_never_stored(
    server: StatusProcess, settings: Settings, read_log: ReadLog, database: Database, dsn: str
) -> None:
    async with (
        listening(dsn) as shown,
        AsyncReporter(PIPELINE, url=server.url, **settings) as reporter,
        reporter.file("a.pdf") as file,
    ):
        for percent in range(101):
            file.progress(percent / 100, "embedding")
        progress = await shown.until("file:progress", lambda it: it["progress"] == 1.0)
        assert progress["attempt"] == 1
        beat = await shown.until("heartbeat", lambda it: it["active_files"] == 1)
        assert beat["head_seq"] == 2
        assert beat["memory_usage"] > 10**6
    assert [event["type"] for event in await read_log()] == [
        "pipeline:online",
        "file:processing",
        "file:completed",
        "pipeline:offline",
    ]


async def test_wrong_use_is_refused_at_once(tmp_path: Path) -> None:
    reporter = Reporter("p", pipeline_type="t", token="x", outbox=tmp_path / "outbox")
    with pytest.raises(RagliveError, match="not open"):
        reporter.update({})
    with pytest.raises(RagliveError, match="stages are extraction"):
        reporter.file("a", stage="reading")
    with reporter:
        with pytest.raises(RagliveError, match=r"file:processing: file\.size"):
            reporter.file("a", size=-1).start()
        file = reporter.file("a")
        with pytest.raises(RagliveError, match="start"):
            file.complete()
        with file:
            with pytest.raises(RagliveError, match=r"file:progress: progress"):
                file.progress(1.5)
            file.fail("bad_luck", "It rained.")
            file.progress(0.1)
            with pytest.raises(RagliveError, match="already ended"):
                file.complete()
        assert reporter.close(timeout=0) == 4
    wrongs: list[Settings] = [{"token": None}, {"token": "a b"}, {"url": "localhost:8103"}]
    for wrong in wrongs:
        given: Settings = {"pipeline_type": "t", "token": "x", "outbox": tmp_path / "o"}
        with pytest.raises(RagliveError):
            Reporter("p", **given | wrong)
    with pytest.raises(RagliveError, match="are invalid"):
        Reporter("p q", pipeline_type="t", token="x")
