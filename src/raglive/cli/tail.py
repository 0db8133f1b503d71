"""`raglive tail`: follow the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from raglive.app.installation import find_installation
from raglive.app.queries import tail as follow_log
from raglive.cli.running import Json, Pipeline, load_settings, run
from raglive.cli.terminal import print_json, visible
from raglive_contract.errors import ErrorCode
from raglive_contract.wire import WireDurableEvent

__all__ = ["summary", "tail"]

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
        bool, typer.Option("--until-idle", help="Stop when every pipeline has nothing left to do.")
    ] = False,
) -> None:
    """Print the events of the log as they come, one per line."""
    settings = load_settings()

    async def follow() -> None:
        console = Console()
        events = follow_log(
            find_installation(settings), cursor=cursor, pipeline_id=pipeline, until_idle=until_idle
        )
        async for event in events:
            if as_json:
                print_json(event)
            else:
                console.print(_line(event), soft_wrap=True)

    run(follow, as_json=as_json)


def _line(event: WireDurableEvent) -> Text:
    name = event["file"]["name"] if "file" in event else event["pipeline_id"]
    parts: list[str | tuple[str, str]] = [
        (event["timestamp"][11:23], "dim"),
        f" {event['seq']:>6} ",
        (f"{event['type']:<16}", _COLOURS.get(event["type"], "cyan")),
        f" {visible(name)}",
    ]
    if text := summary(event):
        parts.append((f"  {visible(text)}", "dim"))
    return Text.assemble(*parts)


_CLEARED = {"paused": "no longer paused", "problem": "the problem is solved"}
_OF_FILES = {
    "files_queued": "queued",
    "files_moved": "moved or renamed",
    "files_requeued": "queued again",
    "files_stuck": "stuck",
    "files_lost": "abandoned by a lost worker",
}
_REASONS = {
    ErrorCode.WORKER_LOST: ", because the worker was lost",
    "budget_changed": ", because the budget changed",
}


def summary(event: Mapping[str, object]) -> str:
    """Summarize an event's fields; empty if the type says everything."""
    match event:
        case {"error": {"message": str(why)}} | {"reason": {"message": str(why)}}:
            return why
        case {"type": "status:update", "changes": dict(changes)}:
            return "; ".join(_change(name, value) for name, value in changes.items())
        case {"attempt": int(attempt), "type": "file:processing"}:
            return f"attempt {attempt}" if attempt > 1 else ""
        case {"results": {"chunks_created": int(chunks)}}:
            return f"{chunks} chunk{'' if chunks == 1 else 's'}"
        case {"watch_location": str(text)} | {"reason": str(text)}:
            return text.replace("_", " ") if "reason" in event else f"watches {text}"
    return ""


def _change(name: str, value: object) -> str:
    """Describe one change of a status, which a producer may have defined."""
    if name in _CLEARED:
        if not isinstance(value, dict):
            return _CLEARED[name]
        advice = value.get("what_to_do")
        return f"{name}: {value.get('message', '')}{f' {advice}' if advice else ''}"
    if name in _OF_FILES and isinstance(value, dict):
        return _files(name, value)
    return f"{name.replace('_', ' ')}: {value}"


def _files(name: str, value: Mapping[str, object]) -> str:
    count, files = value.get("count"), value.get("files")
    subject = f"{count} file{'' if count == 1 else 's'}"
    if count == 1 and isinstance(files, list) and files and isinstance(files[0], dict):
        subject = str(files[0].get("name", subject))
        if "stage" in files[0]:
            return f"{subject} {_OF_FILES[name]} in {files[0]['stage']}"
    return f"{subject} {_OF_FILES[name]}{_REASONS.get(str(value.get('reason')), '')}"
