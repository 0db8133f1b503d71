"""Events of one pipeline, validated against the contract before they enter the outbox."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError
from uuid6 import uuid7

from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.events import SubmittedEvent
from raglive_contract.model import PipelineId, PipelineType, rfc3339
from raglive_reporter.errors import ReporterError

__all__ = [
    "MAX_EVENT_BYTES",
    "EventFactory",
    "ValidatedEvent",
    "derived_file_id",
    "error_code_of",
    "file_id_for",
    "invalid_event",
    "now",
    "storable_text",
]

MAX_EVENT_BYTES = 1_000_000
MAX_TEXT_CHARACTERS = 4000
MAX_FILE_ID_CHARACTERS = 512
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

_submitted: TypeAdapter[Any] = TypeAdapter(SubmittedEvent)
_pipeline: TypeAdapter[Any] = TypeAdapter(tuple[PipelineId, PipelineType])


@dataclass(frozen=True, slots=True)
class ValidatedEvent:
    """An event that conforms to the contract; `body` is its JSON."""

    type: str
    file_id: str | None
    body: bytes


class EventFactory:
    """Creates the events of one pipeline.

    Raises `reporter_misused` when the pipeline's id or type breaks the naming rules.
    """

    def __init__(self, pipeline_id: str, pipeline_type: str) -> None:
        try:
            _pipeline.validate_python((pipeline_id, pipeline_type))
        except ValidationError:
            raise ReporterError(
                f"The names of pipeline {pipeline_id!r} of type {pipeline_type!r} are invalid: an "
                "id consists of letters, digits and . _ : -, a type of a-z, 0-9 and _."
            ) from None
        self.pipeline_id = pipeline_id
        self.pipeline_type = pipeline_type

    def create(self, event_type: str, **fields: Any) -> ValidatedEvent:
        """Return a new event with the present time.

        Raises `invalid_event`, which names the first invalid field.
        """
        event = {
            "id": str(uuid7()),
            "type": event_type,
            "pipeline_id": self.pipeline_id,
            "pipeline_type": self.pipeline_type,
            "timestamp": now(),
        }
        try:
            valid = _submitted.validate_python(event | fields)
            body = orjson.dumps(valid.wire())
        except ValidationError as error:
            raise invalid_event(_first_fault(event_type, error)) from None
        except (TypeError, ValueError) as error:  # a value within `changes` that JSON cannot hold
            raise invalid_event(f"{event_type}: {error}.") from None
        if len(body) > MAX_EVENT_BYTES:
            raise invalid_event(f"{event_type}: it is larger than {MAX_EVENT_BYTES} bytes.")
        file = fields.get("file")
        return ValidatedEvent(event_type, file["id"] if file else None, body)


def now() -> str:
    """Return the present time in the format of the contract."""
    return rfc3339(datetime.now(UTC))


def derived_file_id(name: str, folder: str = "") -> str:
    """Return an id that depends on folder and name only.

    It is a digest, so that viewers who may not see names cannot read them in ids.
    """
    place = f"{folder}/{name}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(place).hexdigest()[:32]


def file_id_for(name: str, file_id: str, folder: str) -> str:
    """Return the id given by the caller in storable form, or a derived one when it is empty."""
    return storable_text(file_id, MAX_FILE_ID_CHARACTERS) or derived_file_id(name, folder)


def storable_text(text: str, max_characters: int = MAX_TEXT_CHARACTERS) -> str:
    """Return the text without what JSON or Postgres cannot store, cut to `max_characters`."""
    whole = text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    return whole if len(whole) <= max_characters else whole[: max_characters - 1] + "…"


def error_code_of(error: BaseException) -> str:
    """Return the exception's own `code`, or one made of its class name, such as `value_error`."""
    own = getattr(error, "code", None)
    if isinstance(own, str) and _CODE.fullmatch(own):
        return str(own)
    name = _WORD_START.sub("_", type(error).__name__).lower().strip("_")[:64]
    return name if _CODE.fullmatch(name) else "internal_error"


def invalid_event(message: str) -> RagliveError:
    """Return the error for an event that breaks the contract."""
    return RagliveError(message, code=ErrorCode.INVALID_EVENT)


def _first_fault(event_type: str, error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = [str(part) for part in first["loc"] if part != event_type]
    return f"{event_type}: {'.'.join(place) or 'the event'}: {first['msg']}."
