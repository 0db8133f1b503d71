"""`raglive retry`: retry failed files."""

from __future__ import annotations

from typing import Annotated

import typer

from raglive.app.installation import find_installation
from raglive.app.operations import retry as retry_files
from raglive.cli.running import Json, Pipeline, load_settings, run
from raglive.cli.terminal import print_json, print_line

__all__ = ["retry"]


def retry(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Names, paths or ids of files; by default all failed files."),
    ] = None,
    code: Annotated[str | None, typer.Option(help="Only files with this error code.")] = None,
    pipeline: Pipeline = None,
    as_json: Json = False,
) -> None:
    """Retry failed files, and at once the files that wait for their next attempt."""
    settings = load_settings()

    async def ask() -> None:
        requeued = await retry_files(
            find_installation(settings), pipeline_id=pipeline, files=files or [], code=code
        )
        if as_json:
            print_json({"requeued": requeued})
        elif requeued == 0:
            with_code = f" with the code {code}" if code else ""
            print_line(f"Nothing to retry: no file has failed or waits{with_code}.")
        else:
            print_line(f"{requeued} file{'' if requeued == 1 else 's'} queued again")

    run(ask, as_json=as_json)
