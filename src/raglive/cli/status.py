"""`raglive status`: the state of every pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from raglive.app.installation import find_installation
from raglive.app.status import read_status
from raglive.cli.running import Json, Pipeline, load_settings, run
from raglive.cli.terminal import print_json, visible
from raglive_contract.http import RagStatus, RagStatusPipeline
from raglive_contract.snapshot import Pause, Problem

__all__ = ["print_status", "status"]

UNBROKEN = 1000  # wide, so that lines are not wrapped for programs
STATES = ("queued", "waiting", "processing", "stuck", "completed", "failed", "skipped")
_STEP_ENDS = "each step has a time-out and is then retried"
_TAKEN_OVER = "another worker takes the file over, or the pipeline does after a restart"
EXCEPTIONAL = {"waiting", "stuck"}  # shown where there are any


def status(as_json: Json = False, pipeline: Pipeline = None) -> None:
    """Show every pipeline, its files by state, and what prevents progress."""
    settings = load_settings()

    async def show() -> None:
        found = await read_status(find_installation(settings), pipeline)
        if as_json:
            print_json(found.wire(), indent=True)
        else:
            console = Console()
            if not console.is_terminal:
                console = Console(width=UNBROKEN)
            print_status(console, found)

    run(show, as_json=as_json)


def print_status(console: Console, found: RagStatus) -> None:
    """Print the status no wider than the console, without cutting anything off."""
    _print_counts(console, found)
    for remark in _remarks(found):
        console.print(Text(visible(remark)), soft_wrap=not console.is_terminal)


def _print_counts(console: Console, found: RagStatus) -> None:
    table = _table(found)
    unbroken = console.options.update(width=UNBROKEN)
    if console.measure(table, options=unbroken).maximum <= console.width:
        console.print(table)
        return
    for pipeline in found.pipelines:
        counts = _counts(pipeline)
        told = ", ".join(f"{counts[state]} {state}" for state in _shown([counts]))
        word, heard = _state(pipeline), _heard(pipeline, found)
        console.print(Text(visible(f"{pipeline.pipeline_id}: {word}, {heard}")))
        console.print(Padding(Text(told), (0, 0, 0, 2), expand=False))


def _shown(counted: Sequence[Mapping[str, int]]) -> list[str]:
    return [it for it in STATES if it not in EXCEPTIONAL or any(counts[it] for counts in counted)]


def _heard(pipeline: RagStatusPipeline, found: RagStatus) -> str:
    beat = pipeline.last_heartbeat
    return f"heartbeat {_ago(beat, found.serverTime)} ago" if beat else "no heartbeat ever"


def _table(found: RagStatus) -> Table:
    rows = [(pipeline, _counts(pipeline)) for pipeline in found.pipelines]
    shown = _shown([counts for _, counts in rows])
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("pipeline", "status", "heartbeat"):
        table.add_column(column)
    for state in shown:
        table.add_column(state, justify="right")
    for pipeline, counts in rows:
        beat = pipeline.last_heartbeat
        table.add_row(
            Text(visible(pipeline.pipeline_id)),
            _state(pipeline),
            f"{_ago(beat, found.serverTime)} ago" if beat else "never",
            *(str(counts[state]) for state in shown),
        )
    return table


def _counts(pipeline: RagStatusPipeline) -> dict[str, int]:
    """Count each file once: `queued` without waiting, `processing` without stuck and lost files."""
    counts = dict(pipeline.status_details.counts)
    counts["stuck"] = len(_files_in(pipeline, "stuck")) + len(_files_in(pipeline, "lost"))
    counts["processing"] = max(0, counts["processing"] - counts["stuck"])
    counts["queued"] = max(0, counts["queued"] - counts["waiting"])
    return counts


def _files_in(pipeline: RagStatusPipeline, standing: str) -> list[str]:
    files = pipeline.status_details.files_processing
    return [file.name for file in files if file.standing == standing]


def _state(pipeline: RagStatusPipeline) -> str:
    details = pipeline.status_details
    if details.problem:
        return "needs attention"
    if pipeline.server_status == "offline":
        return "offline"
    if not pipeline.is_active:
        return "silent"
    return "paused" if details.paused else "online"


def _remarks(found: RagStatus) -> Iterator[str]:
    for pipeline in found.pipelines:
        details, name, now = pipeline.status_details, pipeline.pipeline_id, found.serverTime
        if details.problem:
            yield f"{name} needs attention, {_since(details.problem, now)}"
        if details.paused:
            yield f"{name} is paused, {_since(details.paused, now)}"
            if details.paused.what_to_do:
                yield f"What to do: {details.paused.what_to_do}"
        for file in details.files_processing:
            moved = _ago(file.moved_at or file.started_at, now)
            if file.standing == "stuck":
                stuck = f"{file.name}: stuck in {file.processing_stage}"
                yield f"{stuck}, without progress for {moved}; {_STEP_ENDS}"
            elif file.standing == "lost":
                yield f"{file.name}: no heartbeat from its worker for {moved}; {_TAKEN_OVER}"


def _since(why: Problem | Pause, now: datetime) -> str:
    return f"for {_ago(why.since, now)}: {why.message}"


def _ago(moment: datetime, now: datetime) -> str:
    seconds = max(0, int((now - moment).total_seconds()))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
