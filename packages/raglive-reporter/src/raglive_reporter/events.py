"""Events as the contract wants them, checked before they are queued."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError
from uuid6 import uuid7

from raglive_contract.events import SubmittedEvent
from raglive_contract.model import PipelineId, PipelineType, rfc3339
from raglive_reporter.errors import ReporterError, invalid_event

__all__ = [
    "MAX_EVENT_BYTES",
    "CheckedEvent",
    "EventMaker",
    "code_of",
    "file_id_of",
    "identified",
    "now",
    "printable",
]

MAX_EVENT_BYTES = 1_000_000
LONGEST_MESSAGE = 4000
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

_submitted: TypeAdapter[Any] = TypeAdapter(SubmittedEvent)
_pipeline: TypeAdapter[Any] = TypeAdapter(tuple[PipelineId, PipelineType])


@dataclass(frozen=True, slots=True)
class CheckedEvent:
    """An event that keeps the contract; `body` is its JSON."""

    type: str
    file_id: str | None
    body: bytes


class EventMaker:
    """Makes the events of one pipeline."""

    def __init__(self, pipeline_id: str, pipeline_type: str) -> None:
        try:
            _pipeline.validate_python((pipeline_id, pipeline_type))
        except ValidationError:
            raise ReporterError(
                f"Pipeline {pipeline_id!r} of type {pipeline_type!r} cannot be: an id is of "
                "letters, digits and . _ : -, a type of a-z, 0-9 and _."
            ) from None
        self.pipeline_id = pipeline_id
        self.pipeline_type = pipeline_type

    def make(self, event_type: str, **fields: Any) -> CheckedEvent:
        """Return a new event that happens now. Raises `invalid_event` naming the first fault."""
        event = {
            "id": str(uuid7()),
            "type": event_type,
            "pipeline_id": self.pipeline_id,
            "pipeline_type": self.pipeline_type,
            "timestamp": now(),
        }
        try:
            checked = _submitted.validate_python(event | fields)
            body = orjson.dumps(checked.wire())
        except ValidationError as error:
            raise invalid_event(_first_fault(event_type, error)) from None
        except (TypeError, ValueError) as error:  # what JSON cannot say, within `changes`
            raise invalid_event(f"{event_type}: {error}.") from None
        if len(body) > MAX_EVENT_BYTES:
            raise invalid_event(f"{event_type}: it is larger than {MAX_EVENT_BYTES} bytes.")
        file = fields.get("file")
        return CheckedEvent(event_type, file["id"] if file else None, body)


def now() -> str:
    """Return the present moment as events say it."""
    return rfc3339(datetime.now(UTC))


def file_id_of(name: str, folder: str = "") -> str:
    """Return the id that a file gets when none is given: the same for the same place.

    It is a digest, so that viewers who may not see names do not read them in ids.
    """
    place = f"{folder}/{name}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(place).hexdigest()[:32]


def identified(name: str, file_id: str, folder: str) -> str:
    """Return the id that was given, as it can be stored, else the one derived."""
    return printable(file_id, 512) or file_id_of(name, folder)


def printable(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """Return text that JSON and databases can hold, with what they cannot replaced."""
    whole = text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    return whole if len(whole) <= longest else whole[: longest - 1] + "…"


def code_of(error: BaseException) -> str:
    """Return an exception's own `code`, else one of its class, such as `value_error`."""
    own = getattr(error, "code", None)
    if isinstance(own, str) and _CODE.fullmatch(own):
        return str(own)
    name = _WORD_BEGINS.sub("_", type(error).__name__).lower().strip("_")[:64]
    return name if _CODE.fullmatch(name) else "internal_error"


def _first_fault(event_type: str, error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = [str(part) for part in first["loc"] if part != event_type]
    return f"{event_type}: {'.'.join(place) or 'the event'}: {first['msg']}."
