"""`raglive verify`: compare registry, index and log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from raglive.app.installation import find_installation
from raglive.app.queries import verify as find_problems
from raglive.app.source_verification import verify_sources
from raglive.cli.running import Json, load_settings, run
from raglive.cli.terminal import print_json, print_line
from raglive.store.index.verify import Disagreement

__all__ = ["print_problems", "verify"]


def verify(
    source: Annotated[
        bool, typer.Option("--source", help="Also compare the index with the sources themselves.")
    ] = False,
    sample: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="With --source: so many folders and files of Google Drive, drawn at random.",
            show_default="all",
        ),
    ] = None,
    pipeline: Annotated[
        str | None, typer.Option(help="With --source: the source of only this pipeline.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare registry, chunks, vectors and events. The exit status is 1 when they disagree."""
    settings = load_settings()
    agrees = True

    async def check() -> None:
        nonlocal agrees
        installation = find_installation(settings)
        problems = await find_problems(installation)
        if source:
            problems += await verify_sources(installation, pipeline, sample)
        agrees = not problems
        if as_json:
            body = {"ok": agrees, "problems": [problem.wire() for problem in problems]}
            print_json(body, indent=True)
        elif agrees:
            print_line(f"Registry, index{', log and sources' if source else ' and log'} agree.")
        else:
            print_problems(problems)

    run(check, as_json=as_json)
    if not agrees:
        raise typer.Exit(1)


def print_problems(problems: Sequence[Disagreement]) -> None:
    """Print the problems grouped by action, and each action once below its group."""
    for action in dict.fromkeys(problem.action for problem in problems):
        for problem in problems:
            if problem.action == action:
                print_line(f"{problem.pipeline_id}: {problem.message} ({problem.code})")
        print_line(f"  {action}")
