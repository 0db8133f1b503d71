"""The JSON Schema of every shape on the wire: one document for each family of shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import TypeAdapter

from raglive_contract import errors, events, http, monitoring, snapshot, socket, summary
from raglive_contract.model import WireModel

__all__ = ["FAMILIES", "MODELS", "Document", "schema_documents"]

Document = dict[str, Any]
Mode = Literal["validation", "serialization"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
EXACT = "Exactly what this version sends and takes. A later version may send more fields."

_REQUESTS: frozenset[type[WireModel]] = frozenset(
    {
        events.Submission,
        http.SignInRequest,
        http.SocketTestRequest,
        socket.AuthRefresh,
        socket.ClientStatus,
        socket.Subscribe,
        socket.Unsubscribe,
    }
)


def _models(*names: str, of: object) -> list[type[WireModel]]:
    found = (getattr(of, name) for name in names)
    return [it for it in found if isinstance(it, type) and issubclass(it, WireModel)]


_RECEIVED = {
    "PipelineOnline",
    "PipelineOffline",
    "FileProcessing",
    "FileProgress",
    "FileCompleted",
    "FileFailed",
    "FileSkipped",
    "FileDeleted",
    "StatusUpdate",
    "Heartbeat",
    "PipelineSummary",
}

# The models of each family, and the name of its only shape where it has one.
FAMILIES: Mapping[str, tuple[str | None, list[type[WireModel]]]] = {
    "events": ("Event", _models(*sorted(_RECEIVED), of=events)),
    "submissions": ("Submission", [events.Submission]),
    "snapshot": ("PipelineStatus", [snapshot.PipelineStatus]),
    "http": (
        None,
        _models(*http.__all__, of=http)
        + _models(*summary.__all__, of=summary)
        + _models(*errors.__all__, of=errors),
    ),
    "socket": (
        None,
        _models(*socket.__all__, of=socket) + _models(*monitoring.__all__, of=monitoring),
    ),
}
MODELS: Mapping[str, type[WireModel]] = {
    model.__name__: model for _, models in FAMILIES.values() for model in models
}


def schema_documents() -> dict[str, Document]:
    """Return each family's document by name."""
    unions = {
        "Event": TypeAdapter[object](events.Event),
        "SubmittedEvent": TypeAdapter[object](events.SubmittedEvent),
    }
    named = {
        name: adapter.json_schema(ref_template="#/$defs/{model}", mode=_union_mode(name))
        for name, adapter in unions.items()
    }
    return {family: _document(*FAMILIES[family], named) for family in FAMILIES}


def _union_mode(name: str) -> Mode:
    return "validation" if name.startswith("Submitted") else "serialization"


def _document(
    root: str | None, models: list[type[WireModel]], unions: Mapping[str, Document]
) -> Document:
    inputs: list[tuple[type[WireModel], Mode, TypeAdapter[Any]]] = [
        (model, "validation" if model in _REQUESTS else "serialization", TypeAdapter(model))
        for model in models
    ]
    _, generated = TypeAdapter.json_schemas(inputs, ref_template="#/$defs/{model}")
    definitions: Document = generated["$defs"]
    for name, union in unions.items():
        if root == name or _holds(definitions, union["oneOf"]):
            definitions = _refer(definitions, union["oneOf"], name)
            definitions[name] = {key: union[key] for key in ("oneOf", "discriminator")}
    whole = {"title": root, "$ref": f"#/$defs/{root}"} if root else {}
    plain = {name: _plain(definitions[name]) for name in sorted(definitions)}
    return {"$schema": DIALECT, **whole, "description": EXACT, "$defs": plain}


def _holds(node: object, alternatives: object) -> bool:
    if isinstance(node, dict):
        return node.get("oneOf") == alternatives or _holds([*node.values()], alternatives)
    return isinstance(node, list) and any(_holds(item, alternatives) for item in node)


def _refer(node: Any, alternatives: object, name: str) -> Any:
    """Replace each union that is written out by a reference to its name."""
    if isinstance(node, list):
        return [_refer(item, alternatives, name) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("oneOf") == alternatives:
        return {"$ref": f"#/$defs/{name}"}
    return {key: _refer(value, alternatives, name) for key, value in node.items()}


def _plain(definition: Document) -> Document:
    """Drop the title of each field, and `null` from fields that are left out instead."""
    if "properties" not in definition:
        return definition
    required = list(definition.get("required", []))
    properties = {}
    for name, field in definition["properties"].items():
        shape = {key: value for key, value in field.items() if key != "title"}
        if name not in required:
            shape = _without_null(shape)
        if name == "type" and "const" in shape and name not in required:
            required.insert(0, name)
        properties[name] = shape
    return definition | {"properties": properties} | ({"required": required} if required else {})


def _without_null(shape: Document) -> Document:
    if shape.get("default", ...) is not None:
        return shape
    choices = [choice for choice in shape["anyOf"] if choice != {"type": "null"}]
    rest = {key: value for key, value in shape.items() if key not in {"anyOf", "default"}}
    return rest | (choices[0] if len(choices) == 1 else {"anyOf": choices})
