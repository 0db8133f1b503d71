"""The commands, each imported when it is chosen: no command waits for another's libraries."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

__all__ = ["Commands"]

_NAMES = (
    "up",
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
    "db",
    "dev",
)


class Commands(TyperGroup):
    """A command is what the module of its name calls by its name: a function, or a group."""

    def list_commands(self, _context: object) -> list[str]:
        """Return the names, in the order of the help."""
        return list(_NAMES)

    def get_command(self, _context: object, name: str) -> Any:
        """Import a command; return None when there is none of that name."""
        if name not in _NAMES:
            return None
        found = getattr(import_module(f"raglive.cli.{name}"), name)
        command = get_group(found) if isinstance(found, typer.Typer) else _command(found)
        command.name = name
        return command


def _command(function: Callable[..., None]) -> Any:  # typer brings a click of its own, unnamed
    alone = typer.Typer(add_completion=False)
    alone.command()(function)
    return get_command(alone)
