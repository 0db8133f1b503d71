"""The examples run as documented, and report what happened.

EXAMPLES_PYTHON is the Python that runs them; `make test-examples` sets one with their dependencies.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.integration.reporter.conftest import ReadLog
from tests.integration.reporter.status_process import StatusProcess, producer_token

PYTHON = os.environ.get("EXAMPLES_PYTHON", sys.executable)
EXAMPLES = Path(__file__).parents[3] / "examples" / "reporter"
INDEXERS = [
    ("script", "text-folder", "sqlite3"),
    ("langchain_ingestion", "langchain-files", "langchain_text_splitters"),
    ("llamaindex_ingestion", "llamaindex-files", "llama_index.core"),
]


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.txt").write_text("A paragraph of some words.\n\n" * 100, "utf-8")
    (folder / "b.txt").write_text("Another one.", "utf-8")
    (folder / "c.bin").write_bytes(bytes(range(255, 0, -1)))
    return folder


@pytest.mark.optional
@pytest.mark.parametrize("indexer", INDEXERS, ids=lambda indexer: indexer[0])
async def test_files_are_reported(
    indexer: tuple[str, str, str],
    server: StatusProcess,
    documents: Path,
    read_log: ReadLog,
    tmp_path: Path,
) -> None:
    name, pipeline, needs = indexer
    await _skip_without(needs)
    given = [documents] if name == "script" else sorted(documents.iterdir())
    await _run(name, [str(path) for path in given], server.url, tmp_path)

    online, *files, offline = await read_log(pipeline)
    assert (online["type"], offline["payload"]["reason"]) == ("pipeline:online", "normal_shutdown")
    assert [_summary(event) for event in files] == [
        ("processing", "a.txt"),
        ("completed", "a.txt"),
        ("processing", "b.txt"),
        ("completed", "b.txt"),
        ("processing", "c.bin"),
        ("skipped" if name == "script" else "failed", "c.bin"),
    ]
    large, small, broken = (event["payload"] for event in files[1::2])
    assert large["results"]["chunks_created"] > small["results"]["chunks_created"] == 1
    assert {it["stage"] for it in large["stages"]} >= {"extraction", "chunking"}
    if name != "script":
        assert broken["error"]["code"] == "unicode_decode_error"


async def test_pages_are_reported(
    server: StatusProcess, documents: Path, read_log: ReadLog, tmp_path: Path
) -> None:
    def handle(*args: Any) -> SimpleHTTPRequestHandler:
        return SimpleHTTPRequestHandler(*args, directory=str(documents))

    with ThreadingHTTPServer(("127.0.0.1", 0), handle) as web:
        thread = Thread(target=web.serve_forever, args=(0.01,))
        thread.start()
        address = f"http://127.0.0.1:{web.server_address[1]}"
        pages = [f"{address}/a.txt", f"{address}/missing.txt"]
        try:
            await _run("asynchronous", pages, server.url, tmp_path)
        finally:
            web.shutdown()
            thread.join(10)
    kinds = sorted(_summary(event) for event in (await read_log("web-pages"))[1:-1])
    assert kinds == [
        ("completed", pages[0]),
        ("failed", pages[1]),
        ("processing", pages[0]),
        ("processing", pages[1]),
    ]


async def _skip_without(module: str) -> None:
    looking = await asyncio.create_subprocess_exec(
        PYTHON, "-c", f"import {module}", stderr=subprocess.DEVNULL
    )
    async with asyncio.timeout(100):
        if await looking.wait() == 0:
            return
    assert "EXAMPLES_PYTHON" not in os.environ, f"{PYTHON} has no {module}"
    pytest.skip(f"{module} is not installed; `make test-examples` installs it.")


def _summary(event: dict[str, Any]) -> tuple[str, str]:
    return event["type"].removeprefix("file:"), event["payload"]["file"]["name"]


async def _run(name: str, arguments: list[str], url: str, folder: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        str(Path(PYTHON).absolute()),
        str(EXAMPLES / f"{name}.py"),
        *arguments,
        cwd=folder,
        env=os.environ
        | {
            "REPORTER_TOKEN": producer_token(),
            "RAGLIVE_STATUS_URL": url,
            "XDG_STATE_HOME": str(folder),
        },
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(100):
        _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
