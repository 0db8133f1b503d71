"""`raglive verify`: whether the registry, the index and the log agree."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import typer

from raglive.app.installation import find_installation
from raglive.app.queries import verify as find_problems
from raglive.cli.running import Json, load_settings, run
from raglive.store.index.verify import Disagreement

__all__ = ["verify"]


def verify(as_json: Json = False) -> None:
    """Check that registry, chunks, vectors and events agree; exit with 1 when they do not."""
    settings = load_settings()
    sound = True

    async def check() -> None:
        nonlocal sound
        problems = await find_problems(find_installation(settings))
        sound = not problems
        if as_json:
            body = {"ok": sound, "problems": [problem.wire() for problem in problems]}
            typer.echo(orjson.dumps(body, option=orjson.OPT_INDENT_2))
        if not as_json:
            _say(problems)
        if sound and not as_json:
            typer.echo("Registry, index and log agree.")

    run(check, as_json=as_json)
    if not sound:
        raise typer.Exit(1)


def _say(problems: Sequence[Disagreement]) -> None:
    """Say what does not agree, and below it what to do, once for all that want the same."""
    for action in dict.fromkeys(problem.action for problem in problems):
        for problem in problems:
            if problem.action == action:
                typer.echo(f"{problem.pipeline_id}: {problem.message} ({problem.code})")
        typer.echo(f"  {action}")
