"""The events of the room `admin:monitoring`: the status server's state, and audit events."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from raglive_contract.model import Count, Maybe, PipelineId, Seconds, Timestamp, WireModel

__all__ = ["MONITORING_ROOM", "AuditEvent", "MonitoringStatus"]

MONITORING_ROOM = "admin:monitoring"

Short = Annotated[str, Field(max_length=255)]


class AuditEvent(WireModel):
    """An audited action: subject, time, origin and outcome. It contains no secrets."""

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
    """The state of the status server, sent to the room every second."""

    timestamp: Timestamp
    uptime: Seconds
    lag: Seconds = Field(description="time since the log was last read to its end")
    connections: Count = Field(description="connections to namespaces")
    transports: Count = Field(description="Engine.IO sessions below them, by WebSocket or polling")
    by_namespace: dict[str, Count]
    subscriptions: Count
    requests_per_second: Annotated[float, Field(ge=0, description="over Socket.IO")]
    events_per_second: Annotated[float, Field(ge=0, description="events emitted to rooms")]
    refusals: dict[str, Count] = Field(
        description="refusals by error code since the server started"
    )
