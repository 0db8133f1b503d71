"""The base class of all models on the wire, and the types that they share."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

__all__ = [
    "Count",
    "EventId",
    "FileId",
    "Maybe",
    "Message",
    "Name",
    "PipelineId",
    "PipelineType",
    "Seconds",
    "Timestamp",
    "WireModel",
    "now",
    "rfc3339",
]


class WireModel(BaseModel):
    """A model on the wire: unknown fields and non-finite numbers are refused."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        frozen=True,
        json_schema_serialization_defaults_required=True,
    )

    def wire(self) -> dict[str, Any]:
        """Convert to the JSON object that is sent."""
        return self.model_dump(mode="json")


def rfc3339(moment: datetime) -> str:
    """Return the moment in UTC with milliseconds, as `2026-01-02T03:04:05.678Z`."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def now() -> str:
    """The current time in the format of `rfc3339`."""
    return rfc3339(datetime.now(UTC))


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not hold the character U+0000")
    return text


_STORABLE = (AfterValidator(_storable), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"}))


_NUMBER = re.compile(r"\s*[\d.eE_+-]+\s*$")


def _said_in_words(moment: object) -> object:
    if isinstance(moment, int | float) or (isinstance(moment, str) and _NUMBER.match(moment)):
        raise ValueError("must be a time like 2026-01-02T03:04:05.678Z")
    return moment


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be in the years 1 to 9999 of UTC") from None


def _absent(value: object) -> bool:
    return value is None


Present = TypeVar("Present")
Maybe = Annotated[Present | None, Field(exclude_if=_absent)]
"""An optional field: omitted if there is no value, while `X | None` is sent as null."""

Timestamp = Annotated[
    AwareDatetime,
    BeforeValidator(_said_in_words),
    AfterValidator(_in_utc),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
EventId = Annotated[UUID, Field(description="UUIDv7; an event is published once for each id")]
PipelineId = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,126}$", max_length=127)
]
PipelineType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$", max_length=63)]
FileId = Annotated[str, StringConstraints(min_length=1, max_length=512), *_STORABLE]
Name = Annotated[str, StringConstraints(min_length=1, max_length=1024), *_STORABLE]
Message = Annotated[str, StringConstraints(max_length=4000), *_STORABLE]
Seconds = Annotated[float, Field(ge=0, description="seconds")]
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
