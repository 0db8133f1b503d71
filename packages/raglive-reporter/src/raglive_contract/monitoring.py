"""What the room `admin:monitoring` carries: how the status server fares, and who did what."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from raglive_contract.model import Count, Maybe, PipelineId, Seconds, Timestamp, WireModel

__all__ = ["MONITORING_ROOM", "AuditEvent", "MonitoringStatus"]

MONITORING_ROOM = "admin:monitoring"

Short = Annotated[str, Field(max_length=255)]


class AuditEvent(WireModel):
    """Who did what, when, from where, and how it ended; never a secret."""

    timestamp: Timestamp
    action: Annotated[str, Field(max_length=64)]
    outcome: Annotated[str, Field(max_length=64, description="`ok`, or the code of the refusal")]
    subject: Maybe[Short] = Field(default=None, description="of the token")
    token_id: Maybe[Short] = None
    address: Maybe[Short] = None
    connection: Maybe[Short] = None
    namespace: Maybe[Short] = None
    pipeline_id: Maybe[PipelineId] = None
    detail: Maybe[dict[str, object]] = None


class MonitoringStatus(WireModel):
    """How the status server fares; sent every second to those in the room."""

    timestamp: Timestamp
    uptime: Seconds
    lag: Seconds = Field(description="since the log was last read to its end")
    connections: Count = Field(description="to namespaces")
    transports: Count = Field(description="below them: WebSockets, and sessions that poll")
    by_namespace: dict[str, Count]
    subscriptions: Count
    requests_per_second: Annotated[float, Field(ge=0, description="over Socket.IO")]
    events_per_second: Annotated[float, Field(ge=0, description="handed to rooms")]
    refusals: dict[str, Count] = Field(description="by code, since the server started")
