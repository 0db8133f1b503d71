"""The command `raglive`: one file for each of its commands."""

from __future__ import annotations

import typer

from raglive.cli.commands import Commands, show_version

__all__ = ["main"]

app = typer.Typer(
    cls=Commands,
    name="raglive",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="See every document on its way into your RAG index, live, and trust what you see.",
)
app.callback()(show_version)


def main() -> None:
    """Run the command line."""
    app()
