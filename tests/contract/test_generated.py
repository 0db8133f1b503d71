"""The schemas, the fixtures and the models agree."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tools.contract_schema import FAMILIES, MODELS
from tools.generate_contract import ROOT, contract_files
from tools.generate_contract import SCHEMAS as CONTRACT

from raglive_contract.events import (
    CONFLATED_TYPES,
    DURABLE_TYPES,
    event_adapter,
    submission_adapter,
)

FOLDER = ROOT / CONTRACT
SCHEMAS = {path.stem: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("schema/*.json")}
EXAMPLES: list[dict[str, Any]] = json.loads((FOLDER / "fixtures/events.json").read_text("utf-8"))[
    "examples"
]
each_example = pytest.mark.parametrize(
    "example", [pytest.param(it, id=f"{it['model']}, {it['case']}") for it in EXAMPLES]
)


def test_files_are_current() -> None:
    wanted = contract_files()
    assert {path: (ROOT / path).read_text("utf-8") for path in wanted} == wanted
    present = {path.relative_to(ROOT) for path in FOLDER.rglob("*.json")}
    assert present == {path for path in wanted if path.suffix == ".json"}


@pytest.mark.parametrize("family", SCHEMAS)
def test_schema_is_valid_and_whole(family: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[family])
    definitions = SCHEMAS[family]["$defs"]
    assert {model.__name__ for model in FAMILIES[family][1]} <= definitions.keys()
    for other in SCHEMAS.values():
        for name in definitions.keys() & other["$defs"].keys():
            assert definitions[name] == other["$defs"][name], f"{name} is defined twice"


@each_example
def test_example_keeps_to_its_schema(example: dict[str, Any]) -> None:
    found = [schema for schema in SCHEMAS.values() if example["model"] in schema["$defs"]]
    assert found
    for schema in found:
        reference = {"$ref": f"#/$defs/{example['model']}", "$defs": schema["$defs"]}
        validator = Draft202012Validator(
            reference, format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        validator.validate(example["wire"])


@each_example
def test_example_passes_through_its_model_unchanged(example: dict[str, Any]) -> None:
    wire = json.dumps(example["wire"])
    model = MODELS[example["model"]]
    assert json.dumps(model.model_validate_json(wire).wire()) == wire
    assert model.model_validate_json(wire).model_dump_json() == _compact(example["wire"])


def test_every_shape_has_an_example() -> None:
    shown = {example["model"] for example in EXAMPLES}
    nested = {
        name for name in MODELS if any(_mentions(schema, name) for schema in SCHEMAS.values())
    }
    assert MODELS.keys() - shown - nested == set()


def test_every_event_is_shown_received_and_published() -> None:
    wires = [it["wire"] for it in EXAMPLES if it["case"] in DURABLE_TYPES | CONFLATED_TYPES]
    assert {event_adapter.validate_python(wire).type for wire in wires} == (
        DURABLE_TYPES | CONFLATED_TYPES
    )
    published = [it["wire"] for it in EXAMPLES if it["model"] == "Submission"]
    types = {submission_adapter.validate_python(wire).events[0].type for wire in published}
    assert types == DURABLE_TYPES | CONFLATED_TYPES - {"pipeline:summary"}


def _compact(wire: object) -> str:
    return json.dumps(wire, ensure_ascii=False, separators=(",", ":"))


def _mentions(schema: object, name: str) -> bool:
    if isinstance(schema, dict):
        return schema.get("$ref") == f"#/$defs/{name}" or _mentions([*schema.values()], name)
    return isinstance(schema, list) and any(_mentions(item, name) for item in schema)
