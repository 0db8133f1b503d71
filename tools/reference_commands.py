"""Every command as the reference shows it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

import typer
from tools.reference_tables import code, table

from raglive.cli import app

__all__ = ["all_commands", "commands"]


def commands() -> str:
    """Return a section for each command, in the order of the help."""
    return "\n".join(_section(path, command) for path, command in all_commands())


def all_commands() -> Iterator[tuple[str, Any]]:
    """Yield `raglive NAME` and the command, for each command that is not a group."""
    yield from _below("raglive", typer.main.get_command(app))


def _below(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    names: list[str] = getattr(command, "list_commands", lambda _: [])(None)
    for name in names:
        yield from _below(f"{path} {name}", command.get_command(None, name))
    if not names:
        yield path, command


def _section(path: str, command: Any) -> str:
    shown = [it for it in command.params if not getattr(it, "hidden", False)]
    arguments = [it for it in shown if not it.opts[0].startswith("-")]
    usage = " ".join(
        [path, *(_argument(it) for it in arguments), *(["[OPTIONS]"] if shown else [])]
    )
    lines = [f"## {path}", "", f"{command.help}", "", f"    {usage}", ""]
    if shown:
        rows = [(_name(it), _value(it), it.help or "", _default(it)) for it in shown]
        lines.append(table(("", "Value", "Meaning", "Default"), rows))
    return "\n".join(lines)


def _argument(parameter: Any) -> str:
    name = parameter.name.upper() + ("..." if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _name(parameter: Any) -> str:
    if parameter.opts[0].startswith("-"):
        return code(parameter.opts[0])
    return code(parameter.name.upper())


def _value(parameter: Any) -> str:
    annotation = parameter.type_descriptor.annotation
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(code(choice.value) for choice in annotation)
    if getattr(parameter, "is_flag", False):
        return ""
    if annotation is int:
        return "number, " + _range(parameter) if _range(parameter) else "number"
    return "path" if getattr(annotation, "__name__", "") == "Path" else "text"


def _range(parameter: Any) -> str:
    least = f"at least {parameter.min}" if parameter.min is not None else ""
    most = f"at most {parameter.max}" if parameter.max is not None else ""
    return ", ".join(filter(None, (least, most)))


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if parameter.default is None or parameter.default is False:
        return ""
    return code(parameter.default)
