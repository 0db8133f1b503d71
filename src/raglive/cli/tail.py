"""`raglive tail`: follow the log."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.text import Text

from raglive.app.tail import tail as follow_log
from raglive.cli.event_words import words
from raglive.cli.options import Json, Pipeline
from raglive.cli.running import find_wiring, load_settings, run

__all__ = ["tail"]

_COLOURS = {
    "file:completed": "green",
    "file:failed": "red",
    "file:skipped": "yellow",
    "file:deleted": "magenta",
}


def tail(
    as_json: Json = False,
    cursor: Annotated[
        str, typer.Option(help="Where to start; `-1` from the beginning, `now` from here.")
    ] = "now",
    pipeline: Pipeline = None,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Stop when everything is said and done.")
    ] = False,
) -> None:
    """Follow the events of the log, one a line."""
    settings = load_settings()

    async def follow() -> None:
        console = Console()
        events = follow_log(
            find_wiring(settings), cursor=cursor, pipeline_id=pipeline, until_idle=until_idle
        )
        async for event in events:
            if as_json:
                typer.echo(orjson.dumps(event))
            else:
                console.print(_line(event), soft_wrap=True)

    run(follow, as_json=as_json)


def _line(event: dict[str, Any]) -> Text:
    file = event.get("file") or {}
    parts: list[str | tuple[str, str]] = [
        (event["timestamp"][11:23], "dim"),
        f" {event['seq']:>6} ",
        (f"{event['type']:<16}", _COLOURS.get(event["type"], "cyan")),
        f" {file.get('name') or event['pipeline_id']}",
    ]
    if said := words(event):
        parts.append((f"  {said}", "dim"))
    return Text.assemble(*parts)
