"""What a Socket.IO client asks, and what it is answered."""

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
    "Acknowledged",
    "AuthExpiring",
    "AuthRefresh",
    "ClientStatus",
    "EventsBatch",
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


class Subscribe(WireModel):
    """Ask for the events of pipelines; without `pipeline_id`, of all that the token may see.

    With `room`, ask for that of administrators instead, and for no pipelines.
    """

    pipeline_id: Maybe[
        PipelineId | Annotated[list[PipelineId], Field(min_length=1, max_length=1000)]
    ] = None
    pipeline_type: Maybe[PipelineType] = None
    cursor: Maybe[str] = None
    batch: bool = Field(default=False, description="receive `events:batch` instead of one by one")
    client_info: Maybe[dict[str, Any]] = None
    room: Maybe[Literal["admin:monitoring"]] = None


class SubscribedPipeline(WireModel):
    """Where a viewer stands with one pipeline; missed events were sent before this answer."""

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
    """Leave pipelines; with no field, all of the namespace. With `room`, leave that alone."""

    pipeline_id: Maybe[PipelineId | list[PipelineId]] = None
    pipeline_type: Maybe[PipelineType] = None
    room: Maybe[Literal["admin:monitoring"]] = None


class ClientStatus(WireModel):
    """What a page says of itself."""

    model_config = ConfigDict(extra="ignore")

    client_id: Annotated[str, Field(max_length=128)]
    status: Literal["active", "idle", "background"]
    timestamp: Timestamp | int | float


class AuthRefresh(WireModel):
    """A new token for an open connection."""

    token: Annotated[str, Field(min_length=1, max_length=16384)]


class PublishAck(WireModel):
    """The answer to a publication: what was accepted is committed."""

    ok: Literal[True] = True
    cursor: str = Field(description="after the last event, of every pipeline published to")
    accepted: Count
    duplicates: Count


class StillSubscribed(WireModel):
    """The answer to `unsubscribe` and `auth:refresh`: what is left."""

    ok: Literal[True] = True
    pipelines: list[PipelineId]


class Acknowledged(WireModel):
    """The answer to `client:status`."""

    ok: Literal[True] = True


class Refused(WireModel):
    """The answer to any request that cannot be met."""

    ok: Literal[False] = False
    error: ErrorBody


class EventsBatch(WireModel):
    """Several events at once, in order."""

    events: list[Event]


class ServerDraining(WireModel):
    """The server is about to stop."""

    retry_in: Annotated[int, Field(ge=0, description="milliseconds to wait before returning")]


class ServerClosing(WireModel):
    """The server is about to close this connection, and says why."""

    error: ErrorBody


class AuthExpiring(WireModel):
    """The token ends soon; send `auth:refresh`."""

    expires_at: Timestamp
