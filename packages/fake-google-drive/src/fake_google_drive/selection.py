"""Partial responses: the `fields` parameter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["Selection", "SelectionError", "parse_fields", "select"]

# Selected fields, each with its own selection; `None` selects all of it.
Selection = dict[str, "Selection | None"]
Known = Mapping[str, Any]

_TOKEN = re.compile(r"\s*([A-Za-z0-9_.\-]+|[*,/()])\s*")


class SelectionError(ValueError):
    """The selection names an unknown field; the text is the name."""


def parse_fields(text: str, known: Known) -> Selection | None:
    """Parse a selection; `None` selects everything. Raises `SelectionError`.

    `known` has the fields of the resource, each with its own fields, or empty for plain values
    and free mappings.
    """
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s+", "", text) or not tokens:
        raise SelectionError(text)
    selection, rest = _list(tokens, known)
    if rest:
        raise SelectionError(rest[0])
    return None if "*" in selection else selection


def select(value: Any, selection: Selection | None) -> Any:
    """Return the selected part of a JSON value."""
    if selection is None or "*" in selection:
        return value
    if isinstance(value, list):
        return [select(each, selection) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: select(value[name], below) for name, below in selection.items() if name in value}


def _list(tokens: list[str], known: Known) -> tuple[Selection, list[str]]:
    selection: Selection = {}
    rest = [",", *tokens]
    while rest and rest[0] == ",":
        name, below, rest = _one(rest[1:], known)
        selection[name] = _join(selection[name], below) if name in selection else below
    return selection, rest


def _join(one: Selection | None, other: Selection | None) -> Selection | None:
    if one is None or other is None:
        return None
    joined = dict(one)
    for name, below in other.items():
        joined[name] = _join(joined[name], below) if name in joined else below
    return joined


def _one(tokens: list[str], known: Known) -> tuple[str, Selection | None, list[str]]:
    name, rest = (tokens[0], tokens[1:]) if tokens else ("", [])
    if name != "*" and known and name not in known:
        raise SelectionError(name)
    inner: Known = known.get(name) or {}
    if rest and rest[0] == "/":
        child, below, rest = _one(rest[1:], inner)
        return name, {child: below}, rest
    if rest and rest[0] == "(":
        children, rest = _list(rest[1:], inner)
        if not rest or rest[0] != ")":
            raise SelectionError(name)
        return name, children, rest[1:]
    return name, None, rest
