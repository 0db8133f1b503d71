"""Batches of events as producers send them: validation, and the events of each pipeline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import orjson
from pydantic import ValidationError

from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.events import CONFLATED_TYPES, Submission, SubmittedEvent
from raglive_contract.wire import WireSubmittedEvent

__all__ = ["LOGGED_IDS", "MAX_EVENT_BYTES", "PipelineEvents", "read_batch"]

MAX_EVENT_BYTES = 256 * 1024  # an event is parsed and encoded as a whole, also by viewers
LOGGED_IDS = 10  # of a batch


@dataclass(frozen=True, slots=True)
class PipelineEvents:
    """The events of one pipeline in a batch, in order.

    `pipeline_type` is the first that an event names. `durable` may already be JSON text.
    `first_ids` are for the log.
    """

    pipeline_id: str
    pipeline_type: str | None
    count: int
    first_ids: list[str]
    durable: Sequence[WireSubmittedEvent] | orjson.Fragment
    conflated: list[WireSubmittedEvent]


def read_batch(body: bytes) -> list[PipelineEvents]:
    """Parse and validate a batch; raise `invalid_request` or `invalid_event` with its first fault.

    The pipelines are ordered by their ids.
    """
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RagliveError(
            f"The body is not JSON: {error}", code=ErrorCode.INVALID_REQUEST
        ) from None
    events = _validated(data)
    if len(body) > MAX_EVENT_BYTES:
        _check_sizes(events)
    by_pipeline: dict[str, list[WireSubmittedEvent]] = defaultdict(list)
    for event in events:
        by_pipeline[event["pipeline_id"]].append(event)
    return [_of_pipeline(name, by_pipeline[name]) for name in sorted(by_pipeline)]


def _validated(data: object) -> list[WireSubmittedEvent]:
    try:
        submission = Submission.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])[:200] or "the batch"
        raise RagliveError(f"{place}: {first['msg']}", code=ErrorCode.INVALID_EVENT) from None
    try:
        events: list[WireSubmittedEvent] = submission.wire()["events"]
    except (ValueError, OverflowError):
        return [_wire(place, event) for place, event in enumerate(submission.events)]
    return events


def _wire(place: int, event: SubmittedEvent) -> WireSubmittedEvent:
    try:
        return cast("WireSubmittedEvent", event.wire())  # generated from this model
    except (ValueError, OverflowError):
        raise RagliveError(
            f"events.{place}: it is nested too deep to be stored.",
            code=ErrorCode.INVALID_EVENT,
        ) from None


def _check_sizes(events: Sequence[WireSubmittedEvent]) -> None:
    for place, event in enumerate(events):
        if (size := len(orjson.dumps(event))) > MAX_EVENT_BYTES:
            raise RagliveError(
                f"events.{place}: the event has {size:,} bytes; the limit is {MAX_EVENT_BYTES:,}. "
                "Publish less in one event.",
                code=ErrorCode.INVALID_EVENT,
            )


def _of_pipeline(pipeline_id: str, events: list[WireSubmittedEvent]) -> PipelineEvents:
    conflated = [event for event in events if event["type"] in CONFLATED_TYPES]
    durable = events
    if conflated:
        durable = [event for event in events if event["type"] not in CONFLATED_TYPES]
    return PipelineEvents(
        pipeline_id,
        next((event["pipeline_type"] for event in events if "pipeline_type" in event), None),
        len(events),
        [event["id"] for event in events[:LOGGED_IDS]],
        durable,
        conflated,
    )
