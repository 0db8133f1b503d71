"""`raglive login`: give raglive access as a user."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from raglive.app.sources import oauth_client, token_file
from raglive.cli.running import exit_status_of, load_settings, run
from raglive.cli.terminal import print_line
from raglive.sources.google_drive.login import OAuthClient, log_in
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["login"]

login = typer.Typer(no_args_is_help=True, help="Give raglive access to your accounts.")


@login.callback()
def _group() -> None:
    """Keep `login` a group while it has a single command."""


@login.command("google")
def google(
    client: Annotated[
        Path | None,
        typer.Argument(
            help="JSON of an OAuth client of the type Desktop app; by default what "
            "GOOGLE_DRIVE_CREDENTIALS_JSON names."
        ),
    ] = None,
    open_browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the address in a browser.")
    ] = True,
) -> None:
    """Give raglive read access to your Google Drive: consent once, in a browser."""
    settings = load_settings()
    given = str(client) if client is not None else oauth_client(settings)

    def show(address: str) -> None:
        print_line("Open this address, and allow raglive to read your files:")
        print_line(address)
        if open_browser:
            webbrowser.open(address)

    async def ask() -> None:
        if given is None:
            raise RagliveError(
                "Name the JSON of an OAuth client: raglive login google client.json. "
                "docs/how-to/google-drive.md says how to make one.",
                code=ErrorCode.SETTINGS_INVALID,
            )
        path = token_file(settings)
        await log_in(OAuthClient.read(given), path, show)
        print_line(
            f"The token is stored in {path}. Set RAG_WATCH_FOLDER_ID to the folder to watch."
        )

    run(ask, exit_status=exit_status_of)
