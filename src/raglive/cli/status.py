"""`raglive status`: how everything is."""

from __future__ import annotations

import orjson
import typer
from rich.console import Console
from rich.table import Table

from raglive.app.status import read_status
from raglive.cli.options import Json, Pipeline
from raglive.cli.running import find_wiring, load_settings, run
from raglive.contract.http import RagStatus

__all__ = ["status"]

UNBROKEN = 1000  # columns: a program wants its lines whole


def status(as_json: Json = False, pipeline: Pipeline = None) -> None:
    """Show every pipeline, and how many files stand in each state."""
    settings = load_settings()

    async def show() -> None:
        found = await read_status(find_wiring(settings), pipeline)
        if as_json:
            typer.echo(orjson.dumps(found.wire(), option=orjson.OPT_INDENT_2))
        else:
            console = Console()
            for_people = console.is_terminal
            console.print(_table(found), width=None if for_people else UNBROKEN, soft_wrap=True)
            for one in found.pipelines:
                if why := one.status_details.problem or one.status_details.paused:
                    said = f"{one.pipeline_id}: {why.message}"
                    console.print(said, highlight=False, markup=False, soft_wrap=True)

    run(show, as_json=as_json)


def _table(found: RagStatus) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("pipeline", "status", "heartbeat"):
        table.add_column(column)
    states = ("queued", "processing", "completed", "failed", "skipped")
    for state in states:
        table.add_column(state, justify="right")
    for pipeline in found.pipelines:
        details = pipeline.status_details
        halted = "problem" if details.problem else "paused" if details.paused else None
        beat = pipeline.last_heartbeat
        age = f"{(found.serverTime - beat).total_seconds():.0f} s ago" if beat else "never"
        table.add_row(
            pipeline.pipeline_id,
            halted or pipeline.server_status,
            age,
            *(str(getattr(details.counts, state)) for state in states),
        )
    return table
