"""Events conform to the contract for any file name and any error."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.events import submission_adapter
from raglive_reporter.events import (
    EventFactory,
    derived_file_id,
    error_code_of,
    file_id_for,
    storable_text,
)

FACTORY = EventFactory("p", "t")

anything = st.text(st.characters(), max_size=50)  # unpaired surrogates too


@given(anything.filter(bool), anything, anything)
def test_names_and_messages_are_made_storable(name: str, message: str, folder: str) -> None:
    file_id = file_id_for(name, "", folder)
    event = FACTORY.create(
        "file:failed",
        file={
            "id": file_id,
            "name": storable_text(name),
            "folder": storable_text(folder),
            "failed_at": "2026-01-02T03:04:05Z",
        },
        error={"type": "E", "code": "e", "message": storable_text(message), "retryable": False},
        attempt=1,
    )
    submission_adapter.validate_python({"events": [orjson.loads(event.body)]})
    assert event.file_id == file_id == file_id_for(name, "", folder)
    assert name not in file_id or len(name) < 8


def test_derived_ids_differ_by_place() -> None:
    places = [("a", ""), ("a", "b"), ("ab", ""), ("\udce4", ""), ("?", "")]
    assert len({derived_file_id(*place) for place in places}) == len(places)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError(), "value_error"),
        (FileNotFoundError(), "file_not_found_error"),
        (type("HTTPError", (Exception,), {})(), "http_error"),
        (type("Größe", (Exception,), {})(), "internal_error"),
        (RagliveError("x", code=ErrorCode.NO_TEXT), "no_text"),
        (type("E", (Exception,), {"code": 42})(), "e"),
    ],
)
def test_codes(error: Exception, code: str) -> None:
    assert error_code_of(error) == code


@pytest.mark.parametrize(
    ("kind", "fields", "why"),
    [
        ("file:started", {}, "the event"),
        ("status:update", {"changes": {"x": object()}}, "status:update"),
        ("status:update", {"changes": {"x": "y" * 1_000_000}}, "larger than"),
        ("status:update", {"changes": {"problem": {"code": "x"}}}, "message: Field required"),
        ("pipeline:offline", {"reason": "tired", "shutdown_at": "2026-01-02T03:04:05Z"}, "reason"),
    ],
)
def test_errors_name_the_invalid_field(kind: str, fields: dict[str, Any], why: str) -> None:
    with pytest.raises(RagliveError, match=why) as refused:
        FACTORY.create(kind, **fields)
    assert refused.value.code == "invalid_event"
