"""The discovery document of Drive v3, as Google's client library has it, and checks against it."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

_FORMATS = {
    "date-time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
    "int64": re.compile(r"-?\d+"),
}


@cache
def document() -> dict[str, Any]:
    """Return the document."""
    path = files("googleapiclient") / "discovery_cache" / "documents" / "drive.v3.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def check(value: Any, schema_name: str) -> None:
    """Fail unless a value matches a schema: all names are known, all values have their type."""
    _check(value, {"$ref": schema_name}, schema_name)


def _check(value: Any, schema: dict[str, Any], where: str) -> None:
    if "$ref" in schema:
        schema = document()["schemas"][schema["$ref"]]
    match schema.get("type"):
        case "object":
            _check_object(value, schema, where)
        case "array":
            assert isinstance(value, list), where
            for each in value:
                _check(each, schema["items"], f"{where}[]")
        case "string":
            assert isinstance(value, str), where
            form = _FORMATS.get(schema.get("format", ""))
            assert form is None or form.fullmatch(value), f"{where}: {value}"
        case "boolean":
            assert isinstance(value, bool), where
        case "integer":
            assert type(value) is int, where
        case other:
            assert other == "any", f"{where} has the unknown type {other}"


def _check_object(value: Any, schema: dict[str, Any], where: str) -> None:
    assert isinstance(value, dict), where
    known, free = schema.get("properties", {}), schema.get("additionalProperties")
    for name, each in value.items():
        assert name in known or free is not None, f"{where} has no {name}"
        _check(each, known.get(name, free), f"{where}.{name}")
    if "default" in known.get("kind", {}) and "kind" in value:
        assert value["kind"] == known["kind"]["default"], where
