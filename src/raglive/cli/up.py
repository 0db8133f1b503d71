"""`raglive up`: everything on this machine, in the foreground."""

from __future__ import annotations

import asyncio
import signal
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from raglive.app.up import pipelines_of, stack_config
from raglive.cli.logs import configure_logs
from raglive.cli.running import exit_status_of, load_settings, refuse, run
from raglive.cli.up_display import UpDisplay
from raglive.local_stack.data_folder import data_folder_of
from raglive.local_stack.sign_in import SignInSecret
from raglive.local_stack.stack import local_stack, require_folder
from raglive_contract.errors import ErrorCode, RagliveError

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
    """Watch a folder and show its files on the way into the index: everything, until Ctrl-C."""
    settings = load_settings()
    watched = folder or settings.watch_directory
    if watched is None:
        no_folder = RagliveError(
            "Name a folder to watch: raglive up FOLDER.", code=ErrorCode.NO_FOLDER
        )
        refuse(no_folder, status=exit_status_of(no_folder))
    watched = watched.expanduser().absolute()

    async def main() -> None:
        require_folder(watched)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        data_folder = data_folder_of(settings.data_dir, watched)
        data_folder.prepare()
        config = stack_config(settings, watched)
        address = partial(SignInSecret(data_folder).address, config.dashboard_url)
        with (
            data_folder.up_log.open("a", encoding="utf-8") as log_file,
            UpDisplay(address, data_folder.path, watched, pipelines_of(settings)) as display,
        ):
            configure_logs(settings, log_file)
            async with local_stack(config, data_folder, display.update) as stack:
                display.show(stack)
                if not config.with_google_drive:
                    display.note(GOOGLE_DRIVE_HINT)
                showing = asyncio.create_task(display.run(stack.dsn))
                try:
                    await stack.run(stop)
                finally:
                    showing.cancel()
                    await asyncio.gather(showing, return_exceptions=True)

    run(main, exit_status=exit_status_of)
