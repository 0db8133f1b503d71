"""Runs the pipeline over a folder repeatedly, and kills it at a later step each time.

`python -m tests.integration.ingest.crash_process DSN FOLDER PROVIDER FIRST EVERY`: a round writes
documents, forks a child that dies at one step, and then a child that finishes the work. The first
rounds die at the first step of each kind, the others at the steps FIRST, FIRST + EVERY, ... A line
on standard output says where a child died. The last line is `whole`: there are no more steps.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Coroutine, Sequence
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
KINDS = (("main",), ("attempt-",), ("storing",), ("Task-",))  # names of tasks; "Task-" embeds
COUNTED = (*itertools.chain(*KINDS), "worker-claim", "worker-recover")
BATCH = 4
AGE_SECONDS = 10  # of a file that is no longer written
_COMMENT = re.compile("^--.*$", re.MULTILINE)
REPORT = os.dup(1)  # standard output is for the log


class Steps:
    """Counts the worker's steps, and ends the process at one of them."""

    def __init__(self, last: int, names: tuple[str, ...]) -> None:
        self._left = last
        self._names = names

    def take(self, what: str) -> None:
        task = asyncio.current_task()
        name = task.get_name() if task else ""
        if not name.startswith(self._names):
            return
        self._left -= 1
        if self._left == 0:
            os.write(REPORT, f"{name.partition('-')[0]}: {what}\n".encode())
            os._exit(DIED)


def count(steps: Steps) -> None:
    """Count the end of each statement, the start of each stage, and each request as a step."""
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
    """Import and create in the parent what each child would have to."""
    os.dup2(2, 1)
    share_work_of_clients()
    _fork_readers()
    gc.freeze()


def _fork_readers() -> None:
    """Fork the extraction processes too, so that they need no imports."""
    create = asyncio.create_subprocess_exec

    async def fork(*command: str, **options: Any) -> asyncio.subprocess.Process:
        """Call `main` of the reader at the moment at which `create` would load its program."""
        arguments = [*command[command.index("-m") + 2 :]]
        begin = partial(_read, arguments, options["env"], options["pass_fds"])
        return await create(*command, **options, preexec_fn=begin)

    vars(asyncio)["create_subprocess_exec"] = fork


def _read(arguments: list[str], environment: dict[str, str], kept: Sequence[int]) -> NoReturn:
    start = 3
    for descriptor in sorted(kept):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(environment)
    status = 1
    try:
        child.main(arguments)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def run(
    work: Callable[[], Coroutine[Any, Any, None]], last: int, names: tuple[str, ...] = COUNTED
) -> int:
    """Run the work in a child up to step `last` (0: to its end); return its exit status."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            openai_batches.MAX_INPUTS_PER_REQUEST = BATCH
            if last:
                count(Steps(last, names))
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
    each_kind = ((1, kind) for kind in KINDS)
    each_step = ((last, COUNTED) for last in itertools.count(int(first), int(every)))
    for number, (last, names) in enumerate(itertools.chain(each_kind, each_step)):
        _write(folder / f"{number}.txt", document(f"{number}", 6).encode())
        before = folder / f"{number - 1}.txt"
        if before.exists():
            _write(before, before.read_bytes() + document(f"more of {number}", 1).encode())
        if number % 4 == 0:
            _write(folder / f"{number}.bin", bytes(range(256)) * 8)
        died = run(partial(ingest, dsn, folder, provider), last, names)
        assert died == DIED or (died == 0 and names is COUNTED), died
        assert run(partial(ingest, dsn, folder, provider), 0) == 0
        if died == 0:
            os.write(REPORT, b"whole\n")
            return


def _write(path: Path, content: bytes) -> None:
    """Write a file with an old modification time, so that the pipeline reads it at once."""
    path.write_bytes(content)
    written = time.time() - AGE_SECONDS
    os.utime(path, (written, written))


if __name__ == "__main__":
    main()
