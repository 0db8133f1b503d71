"""`raglive pipeline`: run, approve and remove pipelines."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import Annotated

import typer

from raglive.app.installation import find_installation
from raglive.app.operations import approve as approve_deletions
from raglive.app.operations import remove as remove_pipeline
from raglive.app.sources import run_google_drive, run_local_files
from raglive.cli.running import Parent, Pipeline, load_settings, run, serve
from raglive.cli.terminal import print_line, visible
from raglive.local_stack.ports import require_free_port
from raglive.settings import Settings
from raglive.store.registry.removal import RemovablePipeline
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["pipeline"]

pipeline = typer.Typer(no_args_is_help=True, help="Run or remove a pipeline.")


@pipeline.command("local-files")
def local_files(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder to watch; by default RAG_WATCH_DIRECTORY.")
    ] = None,
    parent: Parent = None,
) -> None:
    """Watch a folder and keep the index up to date with it."""

    async def work(settings: Settings, stop: Awaitable[None]) -> None:
        watched = folder or settings.watch_directory
        if watched is None:
            raise RagliveError(
                "No folder to watch. Name one, or set RAG_WATCH_DIRECTORY.",
                code=ErrorCode.SETTINGS_INVALID,
            )
        if settings.run_mode == "continuous":
            require_free_port(
                settings.host,
                settings.local_files_port,
                setting="RAGLIVE_LOCAL_FILES_PORT",
                purpose="the local-files pipeline's health",
            )
        await run_local_files(find_installation(settings), watched, stop)

    serve(work, parent)


@pipeline.command("google-drive")
def google_drive(parent: Parent = None) -> None:
    """Watch the Google Drive folders of RAG_WATCH_FOLDER_ID and keep the index up to date."""

    async def work(settings: Settings, stop: Awaitable[None]) -> None:
        if settings.run_mode == "continuous":
            require_free_port(
                settings.host,
                settings.google_drive_port,
                setting="RAGLIVE_GOOGLE_DRIVE_PORT",
                purpose="the Google Drive pipeline's health",
            )
        await run_google_drive(find_installation(settings), stop)

    serve(work, parent)


@pipeline.command()
def approve(pipeline: Pipeline = None) -> None:
    """Approve deletions that a pipeline holds back: the files are removed from the index."""
    settings = load_settings()

    async def approve_held() -> None:
        held = await approve_deletions(find_installation(settings), pipeline)
        print_line(f"Approved: {held.pipeline_id} deletes them at its next check. {held.message}")

    run(approve_held)


@pipeline.command()
def remove(
    pipeline_id: Annotated[str, typer.Argument(help="Id of the pipeline.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Remove a pipeline that no longer runs, with its files, chunks, vectors and log."""
    settings = load_settings()

    def confirm(found: RemovablePipeline) -> bool:
        question = (
            f"Remove {visible(found.pipeline_id)} with {found.files} files, their chunks and "
            f"{found.events} events? This cannot be undone."
        )
        return yes or typer.confirm(question)

    async def ask() -> None:
        if await remove_pipeline(find_installation(settings), pipeline_id, confirm):
            print_line(f"Removed: {pipeline_id}")
        else:
            print_line("Nothing was removed.")

    run(ask)
