"""`raglive open`: open the page, signed in."""

from __future__ import annotations

import os
import sys
import webbrowser
from html import escape
from pathlib import Path
from typing import Annotated

import typer

from raglive.app.installation import only_running
from raglive.cli.running import load_settings, run
from raglive.cli.terminal import print_line
from raglive.local_stack.data_folder import DataFolder, write_private
from raglive.local_stack.sign_in import SignInSecret

__all__ = ["open"]


def open(  # noqa: A001 - the name of the command
    browser: Annotated[
        bool | None,
        typer.Option(
            "--browser/--no-browser",
            help="Open the address in a browser; by default on a terminal of a desktop.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print an address that signs one browser on this machine in, and open it."""
    settings = load_settings()

    async def show() -> None:
        folder, stack = only_running(settings, "or name its folder in RAGLIVE_DATA_DIR")
        address = SignInSecret(folder).address(stack.dashboard_url)
        print_line(address)
        if address == stack.dashboard_url:
            print_line("Enter a token there: `raglive token` makes one.", err=True)
        if _has_desktop() if browser is None else browser:
            webbrowser.open(_redirect(folder, address).as_uri())

    run(show)


def _has_desktop() -> bool:
    """Check for a terminal and a desktop: elsewhere a text browser would take the terminal over."""
    if not sys.stdout.isatty():
        return False
    return sys.platform == "darwin" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def _redirect(folder: DataFolder, address: str) -> Path:
    """Write a private page that leads to the address.

    Other users can read the arguments of a browser's process, so the address is none of them.
    """
    page = folder.path / "open.html"
    draft = page.with_suffix(".new")
    write_private(
        draft,
        '<!doctype html><meta charset="utf-8"><title>raglive</title>'
        f'<meta http-equiv="refresh" content="0; url={escape(address)}">'
        f'<a href="{escape(address)}">Open raglive</a>\n',
    )
    draft.replace(page)
    return page
