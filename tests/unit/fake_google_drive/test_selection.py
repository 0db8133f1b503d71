from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_google_drive.schema import RESOURCES
from fake_google_drive.selection import SelectionError, parse_fields, select

LISTING: dict[str, Any] = {
    "kind": "drive#fileList",
    "nextPageToken": "2",
    "files": [
        {"id": "1", "name": "a", "owners": [{"me": True, "emailAddress": "a@b"}]},
        {"id": "2", "shortcutDetails": {"targetId": "1", "targetMimeType": "text/plain"}},
    ],
}


@pytest.mark.parametrize(
    ("fields", "selected"),
    [
        ("*", LISTING),
        ("kind,files/*", {"kind": "drive#fileList", "files": LISTING["files"]}),
        ("files", {"files": LISTING["files"]}),
        ("files/id", {"files": [{"id": "1"}, {"id": "2"}]}),
        ("files(id, name)", {"files": [{"id": "1", "name": "a"}, {"id": "2"}]}),
        (
            "nextPageToken,files(id,shortcutDetails/targetId)",
            {
                "nextPageToken": "2",
                "files": [{"id": "1"}, {"id": "2", "shortcutDetails": {"targetId": "1"}}],
            },
        ),
        (
            "files/owners(me),files/id",
            {"files": [{"owners": [{"me": True}], "id": "1"}, {"id": "2"}]},
        ),
        ("incompleteSearch", {}),
        ("files/id,files", {"files": LISTING["files"]}),
        (
            "files/shortcutDetails/targetId,files/shortcutDetails/targetMimeType",
            {"files": [{}, {"shortcutDetails": LISTING["files"][1]["shortcutDetails"]}]},
        ),
    ],
)
def test_selections(fields: str, selected: Any) -> None:
    assert select(LISTING, parse_fields(fields, RESOURCES["FileList"])) == selected


@pytest.mark.parametrize(
    "fields", ["colour", "files(colour)", "files/owners/colour", "files(id", "id)", ",", "files(,)"]
)
def test_unknown_fields_are_refused(fields: str) -> None:
    with pytest.raises(SelectionError):
        parse_fields(fields, RESOURCES["FileList"])


@given(st.text(alphabet="fileskindid*,/() x", max_size=30))
def test_any_text_is_a_selection_or_refused(text: str) -> None:
    try:
        parse_fields(text, RESOURCES["FileList"])
    except SelectionError:
        return
