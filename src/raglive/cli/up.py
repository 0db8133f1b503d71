"""`raglive up`: everything on this machine, in the foreground."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from raglive.app.sources import google_is_set_up
from raglive.cli.logs import configure_logs
from raglive.cli.running import load_settings, refuse, run
from raglive.cli.screen import Screen
from raglive.local_stack.data_folder import home_of
from raglive.local_stack.machine import machine, require_folder
from raglive_contract.errors import RagliveError

__all__ = ["up"]

GOOGLE_DRIVE_HINT = (
    "· google drive is not set up: set RAG_WATCH_FOLDER_ID, and run `raglive login google` or set "
    "GOOGLE_SERVICE_ACCOUNT_FILE"
)


def up(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder to watch; by default RAG_WATCH_DIRECTORY.")
    ] = None,
) -> None:
    """Watch a folder, and show its files' way: database, servers and pipeline, until Ctrl-C."""
    settings = load_settings()
    watched = folder or settings.watch_directory
    if watched is None:
        refuse(RagliveError("Name a folder to watch: raglive up FOLDER.", code="no_folder"))
    watched = watched.expanduser().absolute()

    async def main() -> None:
        require_folder(watched)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        home = home_of(settings.data_dir, watched)
        home.prepare()
        with (
            (home.logs / "up.log").open("a", encoding="utf-8") as log_file,
            Screen(settings, home, watched) as screen,
        ):
            configure_logs(settings, log_file)
            with_google = google_is_set_up(settings)
            async with machine(
                settings, home, watched, screen.note_change, with_google_drive=with_google
            ) as running:
                screen.show(running)
                if not with_google:
                    screen.note(GOOGLE_DRIVE_HINT)
                showing = asyncio.create_task(screen.run(running.dsn))
                try:
                    await running.run(stop)
                finally:
                    showing.cancel()
                    await asyncio.gather(showing, return_exceptions=True)

    run(main)
