"""What the terminal shows while everything runs: the processes, the files, the address to open."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from raglive.local_stack.child import Child, ChildState
from raglive.local_stack.data_folder import Home
from raglive.local_stack.machine import Machine
from raglive.settings import Settings
from raglive.store.errors import STORE_ERRORS
from raglive.store.pool import Database

__all__ = ["Screen"]

REFRESH_SECONDS = 0.25
_MARKS = {
    ChildState.STARTING: ("…", "dim"),
    ChildState.READY: ("✓", "green"),
    ChildState.RESTARTING: ("↻", "yellow"),
    ChildState.FAILED: ("✗", "red"),
    ChildState.STOPPED: ("·", "dim"),
}
_COUNTS = """
SELECT coalesce(sum(queued + processing), 0)::bigint AS waiting,
       coalesce(sum(completed), 0)::bigint AS completed,
       coalesce(sum(skipped), 0)::bigint AS skipped,
       coalesce(sum(failed), 0)::bigint AS failed
FROM raglive.heads
"""


@dataclass(frozen=True, slots=True)
class _Counts:
    waiting: int = 0
    completed: int = 0
    skipped: int = 0
    failed: int = 0

    @property
    def done(self) -> int:
        return self.completed + self.skipped + self.failed

    def __str__(self) -> str:
        words = [f"{self.completed} searchable"]
        words += [f"{self.skipped} skipped"] if self.skipped else []
        words += [f"{self.failed} failed"] if self.failed else []
        words += [f"{self.waiting} to go"] if self.waiting else []
        return ", ".join(words)


class Screen:
    """A live picture on a terminal; a line for each change anywhere else."""

    def __init__(self, settings: Settings, home: Home, folder: Path) -> None:
        self._address = f"http://{settings.host}:{settings.dashboard_port}"
        self._home = home
        self._folder = folder
        self._console = Console(stderr=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=False)
        self._children: list[Child] = []
        self._counts = _Counts()
        self._said: set[tuple[str, ChildState, int]] = set()
        self._said_counts = ""

    def __enter__(self) -> Self:
        self._print(f"raglive watches {self._folder}")
        self._print(f"data and logs are in {self._home.folder}")
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

    def show(self, machine: Machine) -> None:
        """Show the database as ready, and the processes as they come."""
        self._children = machine.children
        self._print("✓ database")
        self.note_change()

    def note(self, line: str) -> None:
        """Say something once."""
        self._print(line)

    def note_change(self) -> None:
        """Show what became of a process."""
        if self._console.is_terminal:
            self._live.update(self._picture(), refresh=True)
            return
        for child in self._children:
            said = (child.name, child.state, child.restarts)
            if said not in self._said:
                self._said.add(said)
                self._print(f"{_MARKS[child.state][0]} {child.name} {child.state}{_why(child)}")
        if self._all_ready and ("open", ChildState.READY, 0) not in self._said:
            self._said.add(("open", ChildState.READY, 0))
            self._print(f"open {self._address}")

    async def run(self, dsn: str) -> None:
        """Keep the number of files up to date until cancelled."""
        database = await Database.connect(dsn, name="up", max_size=1)
        try:
            while True:
                with suppress(*STORE_ERRORS):
                    row = await database.fetchrow(_COUNTS)
                    self._counts = _Counts(**dict(row)) if row else self._counts
                self._show_counts()
                await asyncio.sleep(REFRESH_SECONDS)
        finally:
            await database.close()

    def _show_counts(self) -> None:
        if self._console.is_terminal:
            self._live.update(self._picture(), refresh=True)
        elif self._counts.done and str(self._counts) != self._said_counts:
            self._said_counts = str(self._counts)
            self._print(f"files: {self._counts}")

    @property
    def _all_ready(self) -> bool:
        return all(child.state is ChildState.READY for child in self._children)

    def _picture(self) -> RenderableType:
        processes = Table.grid(padding=(0, 2))
        for child in self._children:
            mark, style = _MARKS[child.state]
            processes.add_row(
                Text(mark, style), child.name, Text(f"{child.state}{_why(child)}", style)
            )
        counts = self._counts
        total = counts.done + counts.waiting
        files = Table.grid(padding=(0, 2))
        files.add_row(
            ProgressBar(total=max(total, 1), completed=counts.done, width=40),
            f"{counts.done}/{total} files",
            Text(str(counts), "dim"),
        )
        address = Text.assemble(
            "open ", (self._address, "bold cyan underline"), ("   Ctrl-C stops", "dim")
        )
        return Group(processes, Text(), files, Text(), address if self._all_ready else Text())

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)


def _why(child: Child) -> str:
    if child.state not in {ChildState.FAILED, ChildState.RESTARTING}:
        return ""
    return f": {child.complaint} (log: {child.log_file})"
