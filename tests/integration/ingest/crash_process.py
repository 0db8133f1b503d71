"""Runs the pipeline over a folder once for each step that it takes, and dies at that step.

`python -m tests.integration.ingest.crash_process DSN FOLDER PROVIDER FIRST EVERY`: the rounds
FIRST, FIRST + EVERY, ... each write documents, run a child that dies at the step of that number,
and then a child that brings everything to its end. A line on standard output says where each
child died; the last one is `whole`: there were no more steps to die at.
"""

from __future__ import annotations

import asyncio
import gc
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import asyncpg.connection

from raglive.embedding import openai_batches
from raglive.embedding.openai import OpenAIEmbedder
from raglive.extraction import child_main as child
from raglive.ingest.progress import AttemptProgress
from raglive_contract.states import Stage
from tests.http_clients import share_work_of_clients
from tests.integration.ingest.ingesting import document, ingest

DIED = 9
COUNTED = ("attempt-", "storing", "worker-claim", "worker-recover", "main", "Task-")  # embedding
BATCH = 4
AGE_SECONDS = 10  # of a file that nobody writes to any more
_COMMENT = re.compile("^--.*$", re.MULTILINE)
REPORT = os.dup(1)  # standard output is for the log


class Steps:
    """Counts what the worker does, and ends the process in the midst of it."""

    def __init__(self, last: int) -> None:
        self._left = last

    def take(self, what: str) -> None:
        task = asyncio.current_task()
        name = task.get_name() if task else ""
        if not name.startswith(COUNTED):
            return
        self._left -= 1
        if self._left == 0:
            os.write(REPORT, f"{name.partition('-')[0]}: {what}\n".encode())
            os._exit(DIED)


def count(steps: Steps) -> None:
    """Let the end of each statement, the begin of each stage, and each request be a step."""
    connection = asyncpg.connection.Connection
    for name in ("execute", "_execute", "_executemany", "_copy_in"):
        setattr(connection, name, _around(getattr(connection, name), steps))
    request = _around(OpenAIEmbedder._request, steps, "request")
    OpenAIEmbedder._request = request  # type: ignore[method-assign]
    enter = AttemptProgress.enter

    def enter_counted(self: AttemptProgress, stage: Stage, share: float = 0.0) -> None:
        steps.take(f"stage {stage}")
        enter(self, stage, share)

    AttemptProgress.enter = enter_counted  # type: ignore[method-assign]


def _around(method: Callable[..., Any], steps: Steps, label: str = "") -> Callable[..., Any]:
    async def counted(self: Any, *args: Any, **options: Any) -> Any:
        if label:
            steps.take(f"before {label}")
        found = await method(self, *args, **options)
        steps.take(f"after {label or ' '.join(_COMMENT.sub('', str(args[0])).split()[:3])}")
        return found

    return counted


def warm_up() -> None:
    """Make what children would each have to make for themselves."""
    os.dup2(2, 1)
    share_work_of_clients()
    _fork_readers()
    gc.freeze()


def _fork_readers() -> None:
    """Let the readers of files be forks, too, with all that they import already there."""
    create = asyncio.create_subprocess_exec

    async def fork(*command: str, **options: Any) -> asyncio.subprocess.Process:
        """Call `main` of the reader at the moment at which `create` would load its program."""
        begin = partial(_read, command[-1], options["env"])
        return await create(*command, **options, preexec_fn=begin)

    vars(asyncio)["create_subprocess_exec"] = fork


def _read(memory_limit_bytes: str, environment: dict[str, str]) -> NoReturn:
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(environment)
    status = 1
    try:
        child.main([memory_limit_bytes])
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def run(work: Callable[[], Coroutine[Any, Any, None]], last: int) -> int:
    """Do the work in a child, to the step `last`, 0: to its end; return its exit status."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            openai_batches.MAX_INPUTS_PER_REQUEST = BATCH
            if last:
                count(Steps(last))
            asyncio.run(_named(work))
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


async def _named(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.set_name("main")
    await work()


def main() -> None:
    dsn, path, provider, first, every = sys.argv[1:]
    warm_up()
    folder = Path(path)
    for last in range(int(first), 10_000, int(every)):
        _write(folder / f"{last}.txt", document(f"{last}", 6).encode())
        before = folder / f"{last - int(every)}.txt"
        if before.exists():
            _write(before, before.read_bytes() + document(f"more of {last}", 1).encode())
        if last % 4 == 0:
            _write(folder / f"{last}.bin", bytes(range(256)) * 8)
        died = run(partial(ingest, dsn, folder, provider), last)
        assert died in {0, DIED}, died
        assert run(partial(ingest, dsn, folder, provider), 0) == 0
        if died == 0:
            os.write(REPORT, b"whole\n")
            return


def _write(path: Path, content: bytes) -> None:
    """Write a file with an old modification time: the pipeline takes it without waiting."""
    path.write_bytes(content)
    written = time.time() - AGE_SECONDS
    os.utime(path, (written, written))


if __name__ == "__main__":
    main()
