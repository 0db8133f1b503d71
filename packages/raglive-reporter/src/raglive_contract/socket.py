"""Requests of Socket.IO clients, and the server's answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from raglive_contract.errors import ErrorBody
from raglive_contract.events import Event
from raglive_contract.model import (
    Count,
    Maybe,
    PipelineId,
    PipelineType,
    Timestamp,
    WireModel,
)
from raglive_contract.snapshot import PipelineStatus

__all__ = [
    "EVERY_PIPELINE",
    "Acknowledged",
    "AuthExpiring",
    "AuthRefresh",
    "Bookmark",
    "ClientStatus",
    "EventsBatch",
    "PipelineRemoved",
    "PublishAck",
    "Refused",
    "ServerClosing",
    "ServerDraining",
    "StillSubscribed",
    "Subscribe",
    "SubscribeAck",
    "SubscribedPipeline",
    "Unsubscribe",
]


EVERY_PIPELINE = "/pipelines"
"""The namespace of every pipeline, whatever its type."""


class Subscribe(WireModel):
    """Subscribe to pipelines; without `pipeline_id`, to all that the token may view.

    With `room`, subscribe to the administrators' room instead, and to no pipelines.
    """

    pipeline_id: Maybe[
        PipelineId | Annotated[list[PipelineId], Field(min_length=1, max_length=1000)]
    ] = None
    pipeline_type: Maybe[PipelineType] = None
    cursor: Maybe[str] = None
    batch: bool = Field(
        default=False, description="receive events in `events:batch` instead of one by one"
    )
    client_info: Maybe[dict[str, Any]] = None
    room: Maybe[Literal["admin:monitoring"]] = None


class SubscribedPipeline(WireModel):
    """A viewer's position in one pipeline's log. Missed events were sent before this answer."""

    pipeline_id: PipelineId
    snapshot: PipelineStatus
    cursor: str
    digest: str
    recovered: bool
    replayed: Count


class SubscribeAck(WireModel):
    """The answer to `subscribe`."""

    ok: Literal[True] = True
    pipelines: list[SubscribedPipeline]


class Unsubscribe(WireModel):
    """Unsubscribe from pipelines; without fields, from all. With `room`, leave only that room."""

    pipeline_id: Maybe[PipelineId | list[PipelineId]] = None
    pipeline_type: Maybe[PipelineType] = None
    room: Maybe[Literal["admin:monitoring"]] = None


class ClientStatus(WireModel):
    """Whether a client is active, idle or in the background."""

    model_config = ConfigDict(extra="ignore")

    client_id: Annotated[str, Field(max_length=128)]
    status: Literal["active", "idle", "background"]
    timestamp: Timestamp | int | float


class AuthRefresh(WireModel):
    """Replaces the token of an open connection."""

    token: Annotated[str, Field(min_length=1, max_length=16384)]


class Bookmark(WireModel):
    """The second argument of the answer to `ping`: how far the server's knowledge reaches."""

    lag_ms: Annotated[float, Field(ge=0)] | None = Field(
        description="age of what this connection was sent: every event committed before that was "
        "sent before this answer. null while the connection is behind"
    )


class PublishAck(WireModel):
    """The answer to a publication. Accepted events are committed."""

    ok: Literal[True] = True
    cursor: str = Field(description="position after the last event in each published pipeline")
    accepted: Count
    duplicates: Count


class StillSubscribed(WireModel):
    """The answer to `unsubscribe` and `auth:refresh`: the remaining subscriptions."""

    ok: Literal[True] = True
    pipelines: list[PipelineId]


class Acknowledged(WireModel):
    """The answer to `client:status`."""

    ok: Literal[True] = True


class Refused(WireModel):
    """The answer to a request that was refused."""

    ok: Literal[False] = False
    error: ErrorBody


class EventsBatch(WireModel):
    """Several events in one message, in order."""

    events: list[Event]


class ServerDraining(WireModel):
    """The server is shutting down."""

    retry_in: Annotated[int, Field(ge=0, description="milliseconds to wait before reconnecting")]


class PipelineRemoved(WireModel):
    """A pipeline was removed with its files and its log; one of the same id has another epoch."""

    pipeline_id: PipelineId


class ServerClosing(WireModel):
    """The server is about to close this connection, for the reason in `error`."""

    error: ErrorBody


class AuthExpiring(WireModel):
    """The token expires soon: send `auth:refresh`."""

    expires_at: Timestamp
