"""What commands print: text from outside cannot move the cursor, recolour or forge a line."""

from __future__ import annotations

import re
from typing import Any

import orjson
import typer

__all__ = ["print_json", "print_line", "visible", "visible_json", "visible_lines"]

_UNSAFE = (
    "\x00-\x1f\x7f-\x9f"  # C0, DEL and C1: escape sequences begin with one of these
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional marks, overrides, isolates
    "\u2028\u2029"  # line and paragraph separators
    "\ud800-\udfff"  # lone surrogates: bytes of a file name that are not UTF-8
)
_ONE = re.compile(f"[{_UNSAFE}]")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def visible(text: str) -> str:
    r"""Write control characters as in Python: a newline as `\n`, an escape as `\x1b`."""
    return _ONE.sub(_written, text)


def visible_lines(text: str) -> str:
    """Do the same, except for newlines: of a traceback or a passage."""
    return "\n".join(map(visible, text.split("\n")))


def visible_json(text: str) -> str:
    """Escape control characters within the strings of a JSON document; it remains equal."""
    return "\n".join(_ONE.sub(_written_in_json, line) for line in text.split("\n"))


def print_line(text: str, *, err: bool = False, colour: str | None = None) -> None:
    """Print one line, whatever the text."""
    typer.secho(visible(text), fg=colour, err=err)


def print_json(value: Any, *, indent: bool = False) -> None:
    """Print a JSON document on standard output."""
    option = orjson.OPT_INDENT_2 if indent else 0
    typer.echo(visible_json(orjson.dumps(value, option=option).decode()))


def _written(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def _written_in_json(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
