"""The reference says what the code says."""

from __future__ import annotations

import re
from collections.abc import Callable
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
from tools.reference_settings import GROUPS

from raglive.contract.errors import ErrorCode
from raglive.contract.events import event_adapter
from raglive.settings import Settings

REFERENCE_PAGES = sorted(REFERENCE.glob("*.md"))
HTTP = (REFERENCE / "http.md").read_text("utf-8")
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


def test_every_setting_has_its_group() -> None:
    assert sorted(name for group in GROUPS.values() for name in group) == sorted(
        Settings.model_fields
    )


def test_every_error_code_is_explained() -> None:
    assert MEANINGS.keys() == set(ErrorCode)


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
