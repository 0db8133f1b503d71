"""Bad files, crashes and killed child processes: each costs one file at most."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from raglive.extraction import child_process
from raglive.extraction.chunking import split
from raglive.extraction.errors import ExtractionFailed, ExtractorUnavailable, Skipped
from raglive.extraction.pool import ExtractorPool
from raglive_contract.errors import RagliveError
from tests.integration.extraction import documents

ROW = b"a row of many;that takes a while;to be read\n"
linux = pytest.mark.skipif(sys.platform != "linux", reason="what Linux offers")


@pytest.fixture
async def pool() -> AsyncIterator[ExtractorPool]:
    async with ExtractorPool(2) as made:
        yield made


@pytest.fixture
def note(tmp_path: Path) -> Path:
    path = tmp_path / "note.txt"
    path.write_text("The harbour master counts the boats.")
    return path


@pytest.fixture
def slow_file(tmp_path: Path) -> Path:
    path = tmp_path / "slow.csv"
    path.write_bytes(ROW * 500_000)
    return path


def children() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # it has just ended
            if "raglive" in " ".join(child.cmdline()):
                found.append(child)
    return found


async def test_text_chunks_and_stages_come_from_the_child(
    pool: ExtractorPool, tmp_path: Path
) -> None:
    path = tmp_path / "book.pdf"
    path.write_bytes(documents.pdf(*(f"This is page {i} of a book. " * 8 for i in range(1, 80))))
    stages: list[tuple[str, float]] = []
    extracted, chunks = await pool.extract_chunks(
        path, on_stage=lambda stage, progress: stages.append((stage, progress))
    )
    assert chunks == split(extracted)
    assert chunks[0].page == 1
    assert stages == [("extraction", 0), ("extraction", 1), ("chunking", 0), ("chunking", 1)]
    _, small = await pool.extract_chunks(path, target_chars=200, overlap_chars=0)
    assert max(len(chunk.text) for chunk in small) <= 250
    assert all(before.end <= after.start for before, after in pairwise(small))


async def test_a_file_over_time_is_stopped_and_the_next_is_read(
    note: Path, slow_file: Path
) -> None:
    async with ExtractorPool(1, timeout_seconds=0.2) as pool:
        with pytest.raises(ExtractionFailed) as caught:
            await pool.extract(slow_file)
        assert (caught.value.code, caught.value.retryable) == ("extraction_timeout", True)
        assert (await pool.extract(note)).text.startswith("The harbour")
        assert len(children()) == 1


async def test_a_file_over_memory_is_stopped_and_the_next_is_read(
    tmp_path: Path, note: Path
) -> None:
    path = tmp_path / "large.txt"
    path.write_bytes("\xe9".encode("latin-1") * (60 << 20))
    async with ExtractorPool(1, memory_limit_bytes=160 << 20, max_text_chars=1 << 30) as pool:
        with pytest.raises(ExtractionFailed) as caught:
            await pool.extract(path)
        assert (caught.value.code, caught.value.retryable) == ("extraction_out_of_memory", False)
        assert (await pool.extract(note)).text.startswith("The harbour")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
async def test_a_crash_costs_one_file_only(
    pool: ExtractorPool, note: Path, slow_file: Path, number: signal.Signals
) -> None:
    def crash(_stage: str, _progress: float) -> None:
        for child in pool._children:
            if child.files_read == 0:
                os.kill(child.pid, number)

    crashing = asyncio.create_task(pool.extract_chunks(slow_file, on_stage=crash))
    with pytest.raises(ExtractionFailed, match=number.name) as caught:
        await crashing
    assert (caught.value.code, caught.value.retryable) == ("extraction_crashed", True)
    read = await asyncio.gather(*(pool.extract(note) for _ in range(20)))
    assert len(read) == 20


async def test_children_killed_while_idle_are_replaced(pool: ExtractorPool, note: Path) -> None:
    for child in children():
        child.kill()
    read = await asyncio.gather(*(pool.extract(note) for _ in range(10)))
    assert len(read) == 10
    assert len(children()) == 2


async def test_a_cancelled_extraction_releases_its_child(note: Path, slow_file: Path) -> None:
    async with ExtractorPool(1) as pool:
        begun = asyncio.Event()
        task = asyncio.create_task(
            pool.extract_chunks(slow_file, on_stage=lambda _stage, _progress: begun.set())
        )
        waiting = asyncio.create_task(pool.extract(note))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await waiting).text.startswith("The harbour")
        assert (await pool.extract(note)).text.startswith("The harbour")


async def test_closing_ends_every_child_at_once(note: Path, slow_file: Path) -> None:
    pool = await ExtractorPool(1).__aenter__()
    begun = asyncio.Event()
    running = asyncio.create_task(
        pool.extract_chunks(slow_file, on_stage=lambda _stage, _progress: begun.set())
    )
    waiting = [asyncio.create_task(pool.extract(note)) for _ in range(3)]
    await begun.wait()
    await pool.close()
    results = await asyncio.gather(running, *waiting, return_exceptions=True)
    assert all(isinstance(result, ExtractionFailed | RuntimeError) for result in results)
    assert children() == []
    await pool.close()
    with pytest.raises(RuntimeError, match="closed"):
        await pool.extract(note)


async def test_a_child_is_recycled_when_it_has_read_enough(
    note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raglive.extraction.pool.FILES_PER_PROCESS", 3)
    async with ExtractorPool(1) as pool:
        before = {child.pid for child in children()}
        for _ in range(4):
            await pool.extract(note)
        assert before.isdisjoint(child.pid for child in children())
        assert len(children()) == 1


async def test_an_extractor_that_cannot_start_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "_MODULE", "raglive.no_such_module")
    with pytest.raises(ExtractorUnavailable, match="No module named") as caught:
        await ExtractorPool(2).__aenter__()
    assert caught.value.retryable
    assert children() == []


async def test_an_unreadable_path_is_reported(pool: ExtractorPool, tmp_path: Path) -> None:
    with pytest.raises(ExtractionFailed, match="No such file") as caught:
        await pool.extract(tmp_path / "gone.txt")
    assert (caught.value.code, caught.value.retryable) == ("file_unreadable", True)
    with pytest.raises(RagliveError):
        await pool.extract(tmp_path)


@linux
async def test_odd_names_and_odd_files(pool: ExtractorPool, tmp_path: Path, note: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/na\xffme\nx.txt")
    os.link(note, odd)
    assert (await pool.extract(Path(odd))).text.startswith("The harbour")
    pipe = tmp_path / "pipe.txt"
    os.mkfifo(pipe)
    with pytest.raises(Skipped, match="not a regular file"):
        await pool.extract(pipe)


async def extract_until_it_fails(pool: ExtractorPool, path: Path) -> None:
    while True:
        await pool.extract(path)


async def test_a_file_that_grows_while_it_is_read_is_read_again_later(
    pool: ExtractorPool, tmp_path: Path
) -> None:
    path = tmp_path / "growing.txt"
    path.write_bytes(b"x" * 1_000_000)
    growing = asyncio.Event()

    async def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not growing.is_set():
                file.write(b"x" * 100)
                await asyncio.sleep(0)

    writer = asyncio.create_task(grow())
    try:
        async with asyncio.timeout(10):
            with pytest.raises(ExtractionFailed, match="changed") as caught:
                await extract_until_it_fails(pool, path)
    finally:
        growing.set()
        await writer
    assert (caught.value.code, caught.value.retryable) == ("file_changed", True)


def network_of(pid: int) -> Path:
    return Path(f"/proc/{pid}/ns/net").readlink()


@linux
async def test_children_have_no_secrets_and_few_rights(
    monkeypatch: pytest.MonkeyPatch, note: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://user:secret@host/db")
    async with ExtractorPool(1) as pool:
        await pool.extract(note)
        (child,) = children()
        assert "secret" not in str(child.environ())
        assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)
        assert child.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
        assert child.rlimit(psutil.RLIMIT_DATA) == (1 << 30, 1 << 30)
        if os.geteuid() == 0:
            assert network_of(child.pid) != network_of(os.getpid())


@linux
async def test_a_machine_that_never_read_a_pdf_reads_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    planted = tmp_path / f"raglive-extraction-{os.geteuid()}"
    planted.mkdir(mode=0o777)  # as if owned by another user
    planted.chmod(0o777)
    (tmp_path / "a.pdf").write_bytes(documents.pdf("A turbine."))
    async with ExtractorPool(2) as pool:
        extracted = await pool.extract(tmp_path / "a.pdf")
        assert extracted.text.strip() == "A turbine."
        assert list(planted.iterdir()) == []
        for child in children():
            assert Path(child.environ()["TMPDIR"]).stat().st_mode & 0o077 == 0


PARENT = """
import asyncio
from raglive.extraction.pool import ExtractorPool

async def main():
    async with ExtractorPool(1) as pool:
        print(*(child.pid for child in pool._children), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_children_do_not_outlive_a_killed_parent() -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = psutil.Process(int(await parent.stdout.readline()))
    parent.kill()
    await parent.wait()
    await asyncio.to_thread(psutil.wait_procs, [child], 10)
    assert not child.is_running()


async def test_wrong_sizes_of_a_pool_are_refused() -> None:
    for processes, seconds, memory in ((0, 1.0, 1 << 30), (1, 0.0, 1 << 30), (1, 1.0, 1 << 20)):
        with pytest.raises(ValueError, match="a pool needs"):
            ExtractorPool(processes, timeout_seconds=seconds, memory_limit_bytes=memory)
