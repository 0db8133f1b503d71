"""The output of `raglive up`: processes, progress of files, and the address to open."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from raglive.cli.terminal import visible
from raglive.local_stack.child_process import ChildProcess, ProcessState
from raglive.local_stack.stack import LocalStack
from raglive.store.errors import STORE_ERRORS
from raglive.store.pool import Database
from raglive.store.registry.pipelines import FileCounts, count_files

__all__ = ["UpDisplay"]

REFRESH_SECONDS = 0.25
FULL_BELOW_BYTES = 32 * 2**20  # two segments of Postgres' write-ahead log
SPACE_AGAIN_BYTES = 2 * FULL_BELOW_BYTES
_MARKS = {
    ProcessState.STARTING: ("…", "dim"),
    ProcessState.READY: ("✓", "green"),
    ProcessState.RESTARTING: ("↻", "yellow"),
    ProcessState.FAILED: ("✗", "red"),
    ProcessState.STOPPED: ("·", "dim"),
}


class UpDisplay:
    """A live display on a terminal; elsewhere, a line for each change.

    Counts the files of `pipeline_ids` only: other pipelines report to the same database. `address`
    is called for each display, because the secret in it changes with each use.
    """

    def __init__(
        self,
        address: Callable[[], str],
        data_folder: Path,
        watched: Path,
        pipeline_ids: Sequence[str],
    ) -> None:
        self._address = address
        self._data_folder = data_folder
        self._watched = watched
        self._pipeline_ids = pipeline_ids
        self._console = Console(stderr=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=False)
        self._children: list[ChildProcess] = []
        self._counts = FileCounts()
        self._printed: set[tuple[str, ProcessState, int]] = set()
        self._printed_counts = ""
        self._is_disk_full = False

    def __enter__(self) -> Self:
        self._print(f"raglive watches {self._watched}")
        self._print(f"data and logs are in {self._data_folder}")
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()
        if kind is None:
            self._print("stopped")

    def show(self, stack: LocalStack) -> None:
        """Show that the database is ready, and begin to show the state of the processes."""
        self._children = stack.children
        self._print("✓ database")
        self.update()

    def note(self, line: str) -> None:
        """Print a line once."""
        self._print(line)

    def update(self) -> None:
        """Show the current state of the processes."""
        if self._console.is_terminal:
            self._live.update(self._rendered(), refresh=True)
            return
        for child in self._children:
            state = (child.name, child.state, child.restarts)
            if state not in self._printed:
                self._printed.add(state)
                self._print(f"{_MARKS[child.state][0]} {child.name} {_described(child)}")
        opened = ("open", ProcessState.READY, 0)
        if self._is_open and opened not in self._printed:
            self._printed.add(opened)
            self._print(f"open {self._address()}")

    async def run(self, dsn: str) -> None:
        """Keep the number of files up to date until cancelled; say when the disk is full."""
        database = await Database.connect(dsn, name="up", max_size=1)
        try:
            while True:
                with suppress(*STORE_ERRORS):
                    self._counts = await count_files(database, self._pipeline_ids)
                self._show_counts()
                self._show_space()
                await asyncio.sleep(REFRESH_SECONDS)
        finally:
            await database.close()

    def _show_counts(self) -> None:
        described = _described_counts(self._counts)
        if self._console.is_terminal:
            self._live.update(self._rendered(), refresh=True)
        elif _finished(self._counts) and described != self._printed_counts:
            self._printed_counts = described
            self._print(f"files: {described}")

    def _show_space(self) -> None:
        try:
            free = shutil.disk_usage(self._data_folder).free
        except OSError:
            return  # the database says what is wrong with the folder
        if not self._is_disk_full and free < FULL_BELOW_BYTES:
            self._is_disk_full = True
            self._print(
                f"✗ The disk that holds {self._data_folder} is full ({free >> 20} MB free): files "
                "wait until there is space again. Free some space."
            )
        elif self._is_disk_full and free >= SPACE_AGAIN_BYTES:
            self._is_disk_full = False
            self._print(f"✓ The disk that holds {self._data_folder} has space again.")

    @property
    def _is_open(self) -> bool:
        """Whether the page can be opened: every process is ready, or is optional and failed."""
        return bool(self._children) and all(
            child.state is ProcessState.READY
            or (child.state is ProcessState.FAILED and not child.required)
            for child in self._children
        )

    def _rendered(self) -> RenderableType:
        processes = Table.grid(padding=(0, 2))
        for child in self._children:
            mark, style = _MARKS[child.state]
            processes.add_row(
                Text(mark, style), Text(child.name), Text(visible(_described(child)), style)
            )
        finished = _finished(self._counts)
        total = finished + self._counts.unfinished
        files = Table.grid(padding=(0, 2))
        files.add_row(
            ProgressBar(total=max(total, 1), completed=finished, width=40),
            f"{finished}/{total} files",
            Text(_described_counts(self._counts), "dim"),
        )
        address = Text.assemble(
            "open ", (visible(self._address()), "bold cyan underline"), ("   Ctrl-C stops", "dim")
        )
        return Group(processes, Text(), files, Text(), address if self._is_open else Text())

    def _print(self, line: str) -> None:
        self._console.print(Text(visible(line)), highlight=False, soft_wrap=True)


def _described(child: ChildProcess) -> str:
    if child.state in {ProcessState.FAILED, ProcessState.RESTARTING}:
        return f"{child.state}: {child.exit_reason} (log: {child.log_file.path})"
    if child.state is ProcessState.READY:
        return f"{child.state} (process {child.pid})"
    return str(child.state)


def _finished(counts: FileCounts) -> int:
    return counts.completed + counts.skipped + counts.failed


def _described_counts(counts: FileCounts) -> str:
    words = [f"{counts.completed} searchable"]
    words += [f"{counts.skipped} skipped"] if counts.skipped else []
    words += [f"{counts.failed} failed"] if counts.failed else []
    words += [f"{counts.unfinished} to go"] if counts.unfinished else []
    return ", ".join(words)
