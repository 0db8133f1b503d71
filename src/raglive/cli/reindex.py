"""`raglive reindex`: make the index anew with another embedding model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from raglive.app.installation import find_installation
from raglive.app.operations import give_up as let_go
from raglive.app.operations import reindex as make_anew
from raglive.cli.running import exit_status_of, load_settings, run
from raglive.ingest.reindex import ReindexProgress

__all__ = ["reindex"]

SAY_SECONDS = 5.0

Tell = Callable[[ReindexProgress], None]


def reindex(
    give_up: Annotated[
        bool, typer.Option("--give-up", help="Let go of what an unfinished run has embedded.")
    ] = False,
) -> None:
    """Make the index anew with the embedding model that is set; it can be searched throughout.

    A run that is stopped goes on where it was. Afterwards, start the pipelines with these settings.
    """
    settings = load_settings()

    async def make() -> None:
        with _shown(Console()) as tell:
            made = await make_anew(find_installation(settings), tell)
        if made.chunks is None:
            typer.echo(f"The index is of {made.space} already.")
        else:
            typer.echo(f"{made.chunks} chunks are of {made.space} now.")
            typer.echo("Start pipelines with these settings; those with the old ones are paused.")

    async def abandon() -> None:
        abandoned = await let_go(find_installation(settings))
        typer.echo(f"Given up: {abandoned}." if abandoned else "There is nothing to give up.")

    run(abandon if give_up else make, exit_status=exit_status_of)


@contextmanager
def _shown(console: Console) -> Iterator[Tell]:
    """Show progress as a bar on a terminal, as a line now and then anywhere else."""
    if not console.is_terminal:
        yield _lines(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("looking", total=None)
        done = 0

        def tell(said: ReindexProgress) -> None:
            nonlocal done
            if said.done < done:  # of the next thing to do
                progress.reset(bar)
            done = said.done
            progress.update(bar, description=said.note, total=said.chunks, completed=said.done)

        yield tell


def _lines(console: Console) -> Tell:
    note, at = "", 0.0
    began, first = 0.0, 0

    def tell(said: ReindexProgress) -> None:
        nonlocal note, at, began, first
        now = time.monotonic()
        if said.note == note and now < at + SAY_SECONDS:
            return
        if said.note != note:
            began, first = now, said.done
        note, at = said.note, now
        left = _left(now - began, said.done - first, said.chunks - said.done)
        line = f"{said.done} of {said.chunks} chunks: {note}{left}"
        console.print(line, highlight=False, soft_wrap=True)

    return tell


def _left(seconds: float, done: int, to_do: int) -> str:
    """Say how long it will take, once that can be told."""
    if done <= 0 or to_do <= 0:
        return ""
    left = seconds * to_do / done
    return f", {left / 60:.0f} min left" if left >= 90 else f", {left:.0f} s left"
