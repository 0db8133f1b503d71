"""`raglive reindex`: rebuild the index with another embedding model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from raglive.app.installation import find_installation
from raglive.app.operations import abort_reindex, reindex_all
from raglive.cli.running import exit_status_of, load_settings, run
from raglive.cli.terminal import print_line
from raglive.ingest.reindex import ReindexProgress

__all__ = ["reindex"]

LINE_SECONDS = 5.0

OnProgress = Callable[[ReindexProgress], None]


def reindex(
    abort: Annotated[
        bool, typer.Option("--abort", help="Discard the vectors of an unfinished run.")
    ] = False,
) -> None:
    """Rebuild the index with the embedding model in the settings. It stays searchable meanwhile.

    An interrupted run continues where it stopped. Afterwards, restart pipelines and servers.
    """
    settings = load_settings()

    async def rebuild() -> None:
        with _shown(Console()) as on_progress:
            result = await reindex_all(find_installation(settings), on_progress)
        if result.chunks is None:
            print_line(f"The index already has the vectors of {result.space}.")
        else:
            print_line(f"{result.chunks} chunks now have vectors of {result.space}.")
            print_line("Restart pipelines with these settings; those with the old ones are paused.")

    async def discard() -> None:
        space = await abort_reindex(find_installation(settings))
        print_line(f"Discarded the vectors of {space}." if space else "There is nothing to abort.")

    run(discard if abort else rebuild, exit_status=exit_status_of)


@contextmanager
def _shown(console: Console) -> Iterator[OnProgress]:
    """Show progress as a bar on a terminal, elsewhere as a line every few seconds."""
    if not console.is_terminal:
        yield _lines(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("starting", total=None)
        done = 0

        def show(latest: ReindexProgress) -> None:
            nonlocal done
            if latest.done < done:  # the next step has begun
                progress.reset(bar)
            done = latest.done
            progress.update(
                bar, description=latest.note, total=latest.chunks, completed=latest.done
            )

        yield show


def _lines(console: Console) -> OnProgress:
    note, at = "", 0.0
    began, first = 0.0, 0

    def show(latest: ReindexProgress) -> None:
        nonlocal note, at, began, first
        now = time.monotonic()
        if latest.note == note and now < at + LINE_SECONDS:
            return
        if latest.note != note:
            began, first = now, latest.done
        note, at = latest.note, now
        left = _time_left(now - began, latest.done - first, latest.chunks - latest.done)
        line = f"{latest.done} of {latest.chunks} chunks: {note}{left}"
        console.print(line, highlight=False, soft_wrap=True)

    return show


def _time_left(seconds: float, done: int, to_do: int) -> str:
    """Estimate the time left; empty before the first chunk is done."""
    if done <= 0 or to_do <= 0:
        return ""
    left = seconds * to_do / done
    return f", {left / 60:.0f} min left" if left >= 90 else f", {left:.0f} s left"
