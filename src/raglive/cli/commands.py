"""The commands. Each is imported only when it is called, so that all start fast."""

from __future__ import annotations

import gc
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from raglive import __version__

__all__ = ["Commands", "show_version"]

_NAMES = (
    "up",
    "open",
    "server",
    "dashboard",
    "pipeline",
    "search",
    "status",
    "retry",
    "reindex",
    "tail",
    "token",
    "revoke",
    "login",
    "verify",
    "doctor",
    "db",
)


class Commands(TyperGroup):
    """Loads the command `x` from `raglive.cli.x`: a function, or a group of commands."""

    def list_commands(self, _context: object) -> list[str]:
        """Return the names, in the order of the help."""
        return list(_NAMES)

    def get_command(self, _context: object, name: str) -> Any:
        """Import a command; return None when there is none of that name."""
        if name not in _NAMES:
            return None
        found = getattr(_import_module(f"raglive.cli.{name}"), name)
        command = get_group(found) if isinstance(found, typer.Typer) else _command(found)
        command.name = name
        return command


def _import_module(name: str) -> ModuleType:
    """Import a module without garbage collection, and exempt its objects from later collections.

    Modules live as long as the process. Collections during the import take a quarter of its time,
    and a later full collection would stop a server for 60 ms to search its objects in vain.
    """
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()


def _command(function: Callable[..., None]) -> Any:  # typer brings a click of its own, unnamed
    alone = typer.Typer(add_completion=False)
    alone.command()(function)
    return get_command(alone)


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
