"""`raglive verify`: whether the registry, the index and the log agree."""

from __future__ import annotations

import orjson
import typer

from raglive.app.verify import verify as find_problems
from raglive.cli.options import Json
from raglive.cli.running import find_wiring, load_settings, run

__all__ = ["verify"]


def verify(as_json: Json = False) -> None:
    """Check that registry, chunks, vectors and events agree; exit with 1 when they do not."""
    settings = load_settings()
    sound = True

    async def check() -> None:
        nonlocal sound
        problems = await find_problems(find_wiring(settings))
        sound = not problems
        if as_json:
            body = {"ok": sound, "problems": [problem.wire() for problem in problems]}
            typer.echo(orjson.dumps(body, option=orjson.OPT_INDENT_2))
        for problem in [] if as_json else problems:
            typer.echo(f"{problem.pipeline_id}: {problem.message}")
        if sound and not as_json:
            typer.echo("Registry, index and log agree.")

    run(check, as_json=as_json)
    if not sound:
        raise typer.Exit(1)
