"""A redacted viewer sees the states of files, but neither names nor contents."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raglive_contract.events import event_adapter
from raglive_contract.redaction import Redaction
from raglive_contract.snapshot import PipelineStatus

FIXTURES = Path(__file__).parents[3] / "contract/fixtures/events.json"
EXAMPLES: list[dict[str, Any]] = json.loads(FIXTURES.read_text("utf-8"))["examples"]
EVENTS = [it["wire"] for it in EXAMPLES if "timestamp" in it["wire"] and "id" in it["wire"]]
STATUSES = [it["wire"] for it in EXAMPLES if it["model"] == "PipelineStatus"]
REDACTION = Redaction(b"s" * 32)
MARK = "/Secret Folder/offer to Dr. Who.pdf"

# Text that reveals nothing about a file: ids, positions, times, and fixed words.
OPEN = {
    "type", "pipeline_id", "pipeline_type", "cursor", "digest", "status", "timestamp",
    "processing_stage", "stage", "started_at", "completed_at", "failed_at", "skipped_at",
    "deleted_at", "shutdown_at", "next_attempt_at", "last_heartbeat", "last_check_time",
    "next_check_time", "last_activity", "since", "state", "standing", "moved_at", "start",
    "period", "unknown_because",
}  # fmt: skip


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to each text in an object that a producer or a watcher writes freely."""
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for name, child in children:
        if isinstance(child, dict | list):
            yield from places(child, (*path, name))
        elif isinstance(child, str) and name not in OPEN and (*path, name) != ("id",):
            yield (*path, name)


def marked(shape: Any) -> Any:
    """Return the object with the mark in each of these places."""
    changed = copy.deepcopy(shape)
    for path in list(places(changed)):
        node: Any = changed
        for step in path[:-1]:
            node = node[step]
        node[path[-1]] = MARK
    return changed


@pytest.mark.parametrize("event", EVENTS, ids=lambda it: it["type"])
def test_no_redacted_event_contains_a_producers_text(event: Any) -> None:
    event = marked(event)
    event["extra"] = event.setdefault("file", {"id": MARK, "name": MARK})["extra"] = MARK
    event.setdefault("changes", {})["files_requeued"] = {"files": [{"name": MARK}]}
    assert "Who" not in json.dumps(REDACTION.event(event))


@pytest.mark.parametrize("event", EVENTS, ids=lambda it: it["type"])
def test_a_masked_event_keeps_to_the_contract_and_its_place(event: Any) -> None:
    shown = REDACTION.event(event)
    event_adapter.validate_python(shown)
    for name in ("id", "seq", "cursor", "pipeline_id", "timestamp", "attempt", "progress"):
        assert shown.get(name) == event.get(name)


@pytest.mark.parametrize("status", STATUSES)
def test_no_redacted_status_contains_a_producers_text(status: Any) -> None:
    PipelineStatus.model_validate(REDACTION.status(status))
    shown: Any = REDACTION.status(marked(status))
    assert "Who" not in json.dumps(shown)
    for name in ("cursor", "digest", "counts", "total_processed", "total_failed"):
        assert shown[name] == status[name]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.text(max_size=20)), unique=True, max_size=20))
def test_each_file_has_one_mask_and_no_other_has_it(files: list[tuple[str, str]]) -> None:
    def mask(pipeline_id: str, file_id: str, by: Redaction = REDACTION) -> str:
        event: Any = {"pipeline_id": pipeline_id, "file": {"id": file_id, "name": "x"}}
        masked: str = by.event(event)["file"]["id"]
        return masked

    masks = [mask(*file) for file in files]
    assert masks == [mask(*file, by=Redaction(b"s" * 32)) for file in files]
    assert len(set(masks)) == len(files)
    assert not set(masks) & {mask(*file, by=Redaction(b"t" * 32)) for file in files}
