"""The reference agrees with the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tools.generate_reference import PARTS, REFERENCE, current
from tools.reference_errors import MEANINGS
from tools.reference_servers import (
    OpenApi,
    dashboard_openapi,
    pipeline_addresses,
    status_openapi,
)

from raglive.settings import Settings
from raglive_contract.errors import REFUSALS, ErrorCode
from raglive_contract.events import event_adapter

REFERENCE_PAGES = sorted(REFERENCE.glob("*.md"))
HTTP = (REFERENCE / "http.md").read_text("utf-8")
ERRORS = REFERENCE / "error-codes.md"
GOOGLE_DRIVE = REFERENCE.parent / "how-to" / "google-drive.md"
PACKAGE = REFERENCE.parents[1] / "src" / "raglive"
SOURCES = {path: ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}
OF_OTHERS = {"TESSDATA_PREFIX"}
each_server = pytest.mark.parametrize("openapi", [status_openapi, dashboard_openapi])


@pytest.mark.parametrize("page", REFERENCE_PAGES, ids=lambda it: it.stem)
def test_generated_parts_are_current(page: Path) -> None:
    text = page.read_text("utf-8")
    assert text == current(text), "Run `python -m tools.generate_reference`."


def test_every_generated_part_is_shown_once() -> None:
    shown = [
        name
        for page in REFERENCE_PAGES
        for name in re.findall(r"<!-- generated: ([a-z ]+) -->", page.read_text("utf-8"))
    ]
    assert sorted(shown) == sorted(PARTS)


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_no_module_reads_its_own_environment_variables() -> None:
    """Each environment variable in the code is a setting, or belongs to another program."""
    named = {name for code in SOURCES.values() for name in _environment_names(code)}
    known = {str(field.validation_alias) for field in Settings.model_fields.values()}
    assert {name for name in named if name not in known} == OF_OTHERS


def test_every_error_code_is_explained() -> None:
    assert MEANINGS.keys() == REFUSALS
    text = "".join(page.read_text("utf-8") for page in (ERRORS, GOOGLE_DRIVE))
    assert {code for code in ErrorCode if f"`{code}`" not in text} == set()


def test_every_metric_of_the_source_is_shown() -> None:
    """This includes metrics that are exposed only at times, or by any process."""
    text = (REFERENCE / "metrics.md").read_text("utf-8")
    made = {name for tree in SOURCES.values() for name in _metric_names(tree)}
    assert len(made) > 10, "the metrics were not found"
    assert {name for name in made if f"`raglive_{name}" not in text} == set()


def test_every_address_is_documented_and_exists() -> None:
    documented = set(re.findall(r"^### ((?:GET|POST|PUT|DELETE|PATCH) /\S+)$", HTTP, re.M))
    assert documented == {
        f"{method.upper()} {path}"
        for openapi in (status_openapi(), dashboard_openapi())
        for path, methods in openapi.items()
        for method in methods
    }
    for path in pipeline_addresses():
        assert f"`GET {path}` answers" in HTTP


@each_server
def test_every_parameter_is_documented(openapi: Callable[[], OpenApi]) -> None:
    named = {
        parameter["name"]
        for methods in openapi().values()
        for operation in methods.values()
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query"
    }
    assert {name for name in named if f"`{name}`" not in HTTP} == set()


def test_every_event_is_documented() -> None:
    text = (REFERENCE / "events.md").read_text("utf-8")
    mapping = event_adapter.json_schema()["discriminator"]["mapping"]
    assert {kind for kind in mapping if f"### {kind}\n" not in text} == set()


def _metric_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Name(id="Counter" | "Gauge" | "Histogram" | "Summary"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name.removeprefix("raglive_")
            case ast.Call(
                func=ast.Attribute(attr="counter" | "_gauge" | "histogram") | ast.Name(id="family"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name


def _environment_names(tree: ast.Module) -> Iterator[str]:
    """Yield the names of variables that the module reads from the environment."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="get", value=ast.Attribute(attr="environ"))
                | ast.Attribute(attr="getenv"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name
            case ast.Subscript(
                value=ast.Attribute(attr="environ"), slice=ast.Constant(value=str(name))
            ):
                yield name
