"""`raglive --version`."""

from __future__ import annotations

from typing import Annotated

import typer

from raglive import __version__

__all__ = ["show_version"]


def _show(wanted: bool) -> None:
    if wanted:
        typer.echo(f"raglive {__version__}")
        raise typer.Exit


def show_version(
    version: Annotated[
        bool, typer.Option("--version", callback=_show, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """See every document on its way into your RAG index, live, and trust what you see."""
