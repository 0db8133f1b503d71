"""`raglive search`: ask the index."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from raglive.app.installation import find_installation
from raglive.app.queries import search as find_passages
from raglive.cli.running import Json, load_settings, run
from raglive.cli.terminal import print_json, visible, visible_lines
from raglive.http_api.search import hit_on_wire
from raglive.search.service import SearchMode, SearchRequest
from raglive.store.index.search import Hit, SearchFilter

__all__ = ["search"]

SHOWN_LINES = 12
_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]


def search(
    query: Annotated[str, typer.Argument(help="What to look for, in your own words.")],
    *,
    as_json: Json = False,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Most hits to show.")] = 5,
    mode: Annotated[
        SearchMode, typer.Option(help="By meaning (vector), by words (text), or by both.")
    ] = SearchMode.HYBRID,
    pipeline: Annotated[list[str], typer.Option(help="Only this pipeline; may be repeated.")] = [],  # noqa: B006 - typer copies it
    of_type: Annotated[
        list[str],
        typer.Option("--type", help="Only this MIME type or extension; may be repeated."),
    ] = [],  # noqa: B006
    since: Annotated[
        datetime | None,
        typer.Option(formats=_TIMES, help="Only files indexed at or after this time (UTC)."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=_TIMES, help="Only files indexed before this time (UTC)."),
    ] = None,
) -> None:
    """Find the passages that answer a question best."""
    settings = load_settings()
    only = SearchFilter(types=of_type, since=_in_utc(since), until=_in_utc(until))
    if only.since and only.until and only.since >= only.until:
        raise typer.BadParameter(
            "nothing is at or after it and before --until", param_hint="--since"
        )
    question = SearchRequest(query, mode, frozenset(pipeline) or None, only, limit)

    async def ask() -> None:
        hits = await find_passages(find_installation(settings), question)
        if as_json:
            shown = [hit_on_wire(hit) for hit in hits]
            print_json(shown, indent=True)
        else:
            _show(hits)

    run(ask, as_json=as_json)


def _in_utc(moment: datetime | None) -> datetime | None:
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def _show(hits: list[Hit]) -> None:
    console = Console()
    if not hits:
        console.print("Nothing found.")
    for hit in hits:
        place = f"page {hit.page}" if hit.page else f"part {hit.chunk_index + 1}"
        console.print(
            Text.assemble((f"{hit.score:.2f} ", "dim"), (visible(hit.name), "bold"), f", {place}")
        )
        console.print(Padding(_snippet(hit), (0, 0, 1, 5)))


def _snippet(hit: Hit) -> Text:
    """Format the snippet of a passage: line breaks are preserved, matched words are bold."""
    text, shown_to = Text(), 0
    for start, end in hit.marks:
        text.append(visible_lines(hit.snippet[shown_to:start]))
        text.append(visible_lines(hit.snippet[start:end]), "bold")
        shown_to = end
    text.append(visible_lines(hit.snippet[shown_to:]))
    lines = [line for line in text.split(allow_blank=True) if line.plain.strip()]
    if len(lines) > SHOWN_LINES:
        lines = [*lines[:SHOWN_LINES], Text("…", "dim")]
    return Text("\n").join(lines)
