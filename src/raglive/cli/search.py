"""`raglive search`: ask the index."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from raglive.app.search import search as find_passages
from raglive.cli.options import Json, Pipeline
from raglive.cli.running import find_wiring, load_settings, run
from raglive.database.documents import Hit

__all__ = ["search"]

SHOWN_CHARACTERS = 400


def search(
    query: Annotated[str, typer.Argument(help="What to look for, in your own words.")],
    as_json: Json = False,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Most hits to show.")] = 5,
    pipeline: Pipeline = None,
) -> None:
    """Find the passages that answer a question best."""
    settings = load_settings()

    async def ask() -> None:
        wiring = find_wiring(settings)
        hits = await find_passages(wiring, query, limit=limit, pipeline_id=pipeline)
        if as_json:
            typer.echo(orjson.dumps([_wire(hit) for hit in hits], option=orjson.OPT_INDENT_2))
        else:
            _show(hits)

    run(ask, as_json=as_json)


def _wire(hit: Hit) -> dict[str, object]:
    return {
        "score": round(hit.score, 4),
        "content": hit.content,
        "file": {"id": hit.file_id, "name": hit.name, "url": hit.url},
        "chunk_index": hit.chunk_index,
        "page": hit.page,
    }


def _show(hits: list[Hit]) -> None:
    console = Console()
    if not hits:
        console.print("Nothing is indexed yet.")
    for hit in hits:
        place = f"page {hit.page}" if hit.page else f"part {hit.chunk_index + 1}"
        console.print(Text.assemble((f"{hit.score:.2f} ", "dim"), (hit.name, "bold"), f", {place}"))
        text = " ".join(hit.content.split())
        shown = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
        console.print(Padding(Text(shown), (0, 0, 1, 5)))
