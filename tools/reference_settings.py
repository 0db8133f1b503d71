"""Every setting as the reference shows it."""

from __future__ import annotations

import types
import typing
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from tools.reference_tables import code, table

from raglive.settings import Settings, groups, variable_names

__all__ = ["settings"]

_WORDS = {
    str: "text",
    bool: "true or false",
    int: "whole number",
    float: "number",
    Path: "path",
    SecretStr: "secret",
}


def settings() -> str:
    """Return a table for each group."""
    return "\n".join(
        f"## {(group.__doc__ or '').rstrip('.')}\n\n{_group(list(group.model_fields))}"
        for group in groups()
    )


def _group(names: list[str]) -> str:
    variables = variable_names()
    rows = [
        (
            ", or ".join(code(name) for name in variables[field]),
            _kind(Settings.model_fields[field]),
            _default(field),
            _sentence(Settings.model_fields[field].description or ""),
        )
        for field in names
    ]
    return table(("Variable", "Type", "Default", "Meaning"), rows)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _kind(info: FieldInfo) -> str:
    kind, limits = _unwrapped(info.annotation)
    limits += [_bound(it) for it in info.metadata]
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(code(choice) for choice in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return "list"
    return ", ".join([_WORDS.get(kind, "text"), *filter(None, limits)])


def _unwrapped(kind: Any) -> tuple[Any, list[str]]:
    """Remove `Annotated` and `| None`; return the type and its limits."""
    limits: list[str] = []
    while True:
        if typing.get_origin(kind) is typing.Annotated:
            kind, *metadata = typing.get_args(kind)
            for it in metadata:
                limits += [_bound(each) for each in getattr(it, "metadata", [it])]
        elif isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
            kind = next(it for it in typing.get_args(kind) if it is not type(None))
        else:
            return kind, limits


def _bound(limit: object) -> str:
    words = {"ge": "at least", "gt": "above", "le": "at most", "min_length": "at least"}
    unit = {"min_length": " characters"}
    found = [
        f"{word} {getattr(limit, name)}{unit.get(name, '')}"
        for name, word in words.items()
        if getattr(limit, name, None) is not None
    ]
    return ", ".join(found)


def _default(field: str) -> str:
    if field == "workers":
        return "cores, at most 8"
    default = Settings.model_fields[field].default
    if default is None or default == ():
        return ""
    return code(",".join(default) if isinstance(default, tuple) else default)
