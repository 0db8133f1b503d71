"""The reference of every event, from its JSON Schema and its example."""

from __future__ import annotations

import json
from typing import Any

from tools.contract_examples import examples
from tools.contract_schema import schema_documents
from tools.reference_tables import code, table

from raglive_contract.events import CONFLATED_TYPES, DURABLE_TYPES

__all__ = ["conflated_events", "durable_events", "envelope", "parts", "status"]

_ENVELOPE = ("id", "type", "pipeline_id", "pipeline_type", "timestamp", "seq", "cursor")
_MEANINGS = {
    "pipeline_id": "id of the pipeline",
    "pipeline_type": "type of the pipeline, and name of its namespace",
    "timestamp": "time of the event",
    "seq": "position in the pipeline's log, from 1, without gaps",
    "cursor": "pass it to resume after this event",
    "file": "the file",
    "attempt": "number of the attempt at the file, from 1",
    "stages": "duration of each stage",
    "head_seq": "`seq` of the pipeline's latest durable event",
    "digest": "64 hexadecimal digits: [the log's identity](../explanation/cursors.md#the-digest)",
    "progress": "progress of the attempt",
    "started_at": "start time; of a file, when its attempt was claimed",
    "check_interval": "seconds between full checks of the source",
    "watch_location": "watched location, for display",
    "code": "[error code](error-codes.md), for programs",
    "message": "message for people",
    "retryable": "whether another attempt may help",
    "next_attempt_at": "time of the next attempt; absent when the file is not retried",
    "changes": "changed fields: see above",
    "current_status": "complete status after the change",
    "uptime": "seconds since the pipeline started",
    "estimated_duration": "estimated seconds until completion",
    "error": "reason of the failure",
    "reason": "reason of the event",
    "results": "results of the attempt",
    "active_files": "files in progress",
    "problem": "present problem, if any",
    "counts": "files by state",
    "throughput": "as `/v1/pipelines/{pipeline_id}/throughput` returns it",
    "folder": "folder below the watched location",
    "size": "bytes",
    "url": "address to open the file",
    "id": "stays the same when the file is renamed or moved",
}
_PARTS = (
    "FileResults",
    "FileError",
    "SkipReason",
    "StageDuration",
    "Counts",
    "Problem",
    "Pause",
    "FailureGroup",
    "FileStanding",
    "Throughput",
    "ThroughputBucket",
    "Estimate",
    "StageRate",
    "EmbeddingUsage",
    "EmbeddingBudget",
)
_DEFINITIONS = {
    name: definition
    for document in schema_documents().values()
    for name, definition in document["$defs"].items()
}


def envelope() -> str:
    """Return the fields of every event."""
    return _fields(_DEFINITIONS["FileCompleted"], _ENVELOPE).replace(
        _kind({"const": "file:completed"}), "text"
    )


def durable_events() -> str:
    """Return a section for each durable event."""
    return _events(DURABLE_TYPES)


def conflated_events() -> str:
    """Return a section for each event of which only the latest value counts."""
    return _events(CONFLATED_TYPES)


def parts() -> str:
    """Return a section for each shape within the events."""
    file = _DEFINITIONS["CompletedFile"]
    described = tuple(name for name in file["properties"] if name != "completed_at")
    shapes = [f"### file\n\nWhich file.\n\n{_fields(file, described)}"]
    shapes += [f"### {name}\n\n{_whole(_DEFINITIONS[name])}" for name in _PARTS]
    return "\n".join(shapes)


def status() -> str:
    """Return the fields of the snapshot."""
    definition = _DEFINITIONS["PipelineStatus"]
    return _fields(definition, tuple(definition["properties"]))


def _events(types: frozenset[str]) -> str:
    order = [it["properties"]["type"]["const"] for it in map(_resolve, _union())]
    return "\n".join(_event(kind) for kind in order if kind in types)


def _union() -> list[dict[str, Any]]:
    members: list[dict[str, Any]] = _DEFINITIONS["Event"]["oneOf"]
    return members


def _event(kind: str) -> str:
    definition = next(
        it for it in map(_resolve, _union()) if it["properties"]["type"]["const"] == kind
    )
    own = tuple(name for name in definition["properties"] if name not in _ENVELOPE)
    [example] = [it["wire"] for it in examples() if it["case"] == kind]
    shown = {name: example[name] for name in example if name in ("type", *own)}
    if "current_status" in shown:
        shown["current_status"] = {"...": "the status"}
    body = json.dumps(shown, indent=2, ensure_ascii=False)
    return (
        f"### {kind}\n\n{definition['description']}\n\n{_fields(definition, own)}\n"
        f"```json\n{body}\n```\n"
    )


def _whole(definition: dict[str, Any]) -> str:
    text = definition.get("description", "")
    return f"{text}\n\n{_fields(definition, tuple(definition['properties']))}"


def _fields(definition: dict[str, Any], names: tuple[str, ...]) -> str:
    required = set(definition.get("required", ()))
    rows = []
    for name in names:
        schema = definition["properties"][name]
        meaning = _MEANINGS.get(name, "") if "description" not in schema else schema["description"]
        if name not in required:
            meaning = f"{meaning}; may be left out" if meaning else "may be left out"
        rows.append((code(name), _kind(schema), meaning))
    return table(("Field", "Type", "Meaning"), rows)


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _reference(schema["$ref"].rpartition("/")[2])
    if "const" in schema:
        return code(json.dumps(schema["const"]))
    if "enum" in schema:
        return " or ".join(code(json.dumps(choice)) for choice in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    if "anyOf" in schema:
        return " or ".join(_kind(choice) for choice in schema["anyOf"])
    formats = {"date-time": "time", "uuid": "UUID"}
    words = {"integer": "whole number", "number": "number", "string": "text", "null": "`null`"}
    kind = str(schema.get("type", "anything"))
    return formats.get(schema.get("format", ""), words.get(kind, kind))


def _reference(name: str) -> str:
    definition = _DEFINITIONS[name]
    if "enum" in definition:
        return " or ".join(code(json.dumps(choice)) for choice in definition["enum"])
    if name == "PipelineStatus":
        return "[status](#the-status)"
    if name in _PARTS:
        return f"[{name}](#{name.lower()})"
    return _file(definition)


def _file(definition: dict[str, Any]) -> str:
    """Return how an event describes its file: complete or only by name, and its time field."""
    fields = definition["properties"]
    own = [code(name) for name in fields if name.endswith("_at") and name != "started_at"]
    own += [code(name) for name in ("processing_stage", "progress", "results", "error", "attempt")]
    own = [it for it in own if it.strip("`") in fields]
    described = "[file](#file)" if "size" in fields else "`id` and `name` of a [file](#file)"
    return f"{described}, with {', '.join(own)}" if own else described


def _resolve(schema: dict[str, Any]) -> dict[str, Any]:
    definition: dict[str, Any] = _DEFINITIONS[schema["$ref"].rpartition("/")[2]]
    return definition
