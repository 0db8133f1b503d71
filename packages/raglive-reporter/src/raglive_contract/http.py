"""The answers of the HTTP endpoints."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from raglive_contract.events import Event, PipelineSummary
from raglive_contract.files import FileError, FileResults, SkipReason, StageDuration
from raglive_contract.model import (
    Count,
    FileId,
    Maybe,
    Name,
    PipelineId,
    PipelineType,
    Seconds,
    Timestamp,
    WireModel,
)
from raglive_contract.permissions import Role
from raglive_contract.snapshot import Pause, PipelineStatus, Problem
from raglive_contract.states import FileState, PipelineState, Stage, Standing
from raglive_contract.summary import EmbeddingUsage, FailureGroup

__all__ = [
    "Attempt",
    "ChunkPage",
    "DatabaseHealth",
    "EventPage",
    "FailureGroups",
    "FileDetail",
    "FilePage",
    "FileRow",
    "HitFile",
    "IndexedChunk",
    "Mark",
    "PipelineHealth",
    "PipelineList",
    "RagStatus",
    "RagStatusPipeline",
    "RetryAnswer",
    "RetryRequest",
    "SearchAnswer",
    "SearchHit",
    "ServerHealth",
    "ServiceHealth",
    "Session",
    "SocketFeatures",
    "SocketInfo",
    "SocketServerInfo",
    "SocketTest",
    "SocketTestRequest",
    "SystemHealth",
    "WebSocketHealth",
    "WebSocketPlace",
]

Milliseconds = Annotated[float, Field(ge=0, description="milliseconds")]


class RagStatusPipeline(WireModel):
    """One pipeline in `/api/rag-status`."""

    pipeline_id: PipelineId
    pipeline_type: PipelineType
    server_status: PipelineState
    last_heartbeat: Timestamp | None
    status_details: PipelineStatus
    is_active: bool = Field(description="online, with a heartbeat lately")
    summary: PipelineSummary


class RagStatus(WireModel):
    """`GET /api/rag-status`: the whole status, and the events since `cursor`."""

    status: PipelineState
    pipelines: list[RagStatusPipeline]
    serverTime: Timestamp  # noqa: N815 - the name that earlier clients know
    status_details: PipelineStatus | None = Field(description="of the pipeline, when it is one")
    last_activity: Timestamp | None
    files_processing: list[dict[str, object]]
    files_completed: list[dict[str, object]]
    files_failed: list[dict[str, object]]
    websocket_available: bool
    websocket_url: str
    websocket_namespaces: list[str]
    fallback_mode: bool = Field(description="the status server does not answer: keep polling")
    events: list[Event] = Field(description="durable events after `cursor`, in order")
    next_cursor: str
    up_to_date: bool = Field(description="false when more events wait: poll again at once")
    poll_after_ms: Count


class SocketFeatures(WireModel):
    """What the status server offers now."""

    realtime_updates: bool
    file_progress: bool
    auto_reconnect: bool
    fallback_polling: bool


class SocketInfo(WireModel):
    """`GET /api/socket/info`: whether WebSockets are worth trying."""

    available: bool
    url: str
    path: str
    namespaces: list[str]
    transports: list[str]
    version: str
    health: Literal["healthy", "degraded", "unavailable"]
    latency: Milliseconds | None
    features: SocketFeatures
    last_checked: Timestamp


class SocketTestRequest(WireModel):
    """The body of `POST /api/socket/test`."""

    pipelineType: PipelineType = "local_files"  # noqa: N815 - the name that earlier clients know


class SocketServerInfo(WireModel):
    """The status server, as the test found it."""

    version: str
    connected_clients: Count
    uptime: Seconds


class SocketTest(WireModel):
    """The outcome of a real Socket.IO round trip."""

    success: bool
    latency: Milliseconds | None
    transport: str | None
    timestamp: Timestamp
    server_info: SocketServerInfo | None
    error: str | None


class DatabaseHealth(WireModel):
    """The database, as a query found it."""

    status: Literal["healthy", "unhealthy"]
    latency: Milliseconds | None
    error: Maybe[str] = None


class WebSocketHealth(WireModel):
    """The status server, as a request found it."""

    status: Literal["healthy", "degraded", "unhealthy"]
    url: str
    latency: Milliseconds | None
    connected_clients: Count | None


class PipelineHealth(WireModel):
    """The pipelines of one type; of several, the state of the one that is worst off."""

    status: Literal["healthy", "degraded", "unhealthy"]
    state: Literal["running", "paused", "needs_attention", "silent", "offline"]
    last_heartbeat: Timestamp | None
    problem: Maybe[Problem] = Field(default=None, description="of the first that has one")
    paused: Maybe[Pause] = Field(default=None, description="of the first that pauses")


class ServiceHealth(WireModel):
    """Every part of the system."""

    database: DatabaseHealth
    websocket: WebSocketHealth
    rag_pipelines: dict[str, PipelineHealth]


class SystemHealth(WireModel):
    """`GET /api/health`."""

    status: Literal["healthy", "degraded", "unhealthy"]
    services: ServiceHealth
    version: str
    uptime: Seconds
    timestamp: Timestamp


class ServerHealth(WireModel):
    """`GET /health` of the status server."""

    status: Literal["healthy", "degraded", "unhealthy"]
    http_server: Literal["running"]
    websocket_server: Literal["running", "draining"]
    connected_clients: Count
    version: str
    uptime: Seconds


class WebSocketPlace(WireModel):
    """Where the status server is."""

    url: str
    path: str
    namespaces: list[str]


class Session(WireModel):
    """`GET /api/session`: a short-lived token for the dashboard's own page."""

    token: str | None
    expires_at: Timestamp | None
    role: Role | None
    redacted: bool = Field(default=False, description="names and details are withheld")
    may_operate: bool = Field(description="the page may ask for retries")
    websocket: WebSocketPlace
    version: str


class PipelineList(WireModel):
    """Every pipeline that the caller may see."""

    pipelines: list[PipelineStatus]


class FileRow(WireModel):
    """A file as the registry has it."""

    id: str
    name: Name
    folder: str
    url: str | None
    mime_type: str | None
    size: Count | None
    state: FileState
    standing: Standing
    processing_stage: Stage | None
    progress: float | None
    attempt: int
    results: FileResults | None
    error: FileError | None
    reason: SkipReason | None
    first_seen_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    updated_at: Timestamp
    moved_at: Timestamp | None = Field(description="when the running attempt last progressed")
    next_attempt_at: Timestamp | None = Field(description="in the future: waiting for a retry")


class FilePage(WireModel):
    """Files of a pipeline; `next` is the `after` of the next page."""

    files: list[FileRow]
    next: str | None
    total: Count


class Attempt(WireModel):
    """One attempt at a file; kept for ever."""

    attempt: int
    worker: str | None
    started_at: Timestamp
    finished_at: Timestamp | None
    outcome: Literal["running", "completed", "failed", "skipped", "lost", "cancelled"]
    stages: list[StageDuration]
    error: FileError | None


class IndexedChunk(WireModel):
    """A chunk as it is searched."""

    chunk_index: int
    content: str
    page: int | None


class FileDetail(WireModel):
    """A file with its attempts and the beginning of its text."""

    file: FileRow
    what_to_do: str | None = Field(description="while it is failed, skipped, or waits for a retry")
    usage: EmbeddingUsage
    attempts: list[Attempt]
    chunks: list[IndexedChunk]
    chunk_count: Count


class ChunkPage(WireModel):
    """A file's chunks in order; `next` is the `after` of the next page."""

    chunks: list[IndexedChunk]
    next: int | None = Field(description="the last chunk index of this page")


class EventPage(WireModel):
    """Durable events, newest first; `next` is the `before` of the next page."""

    events: list[Event]
    next: str | None
    cursor: str
    digest: str


class FailureGroups(WireModel):
    """Why files are not searchable."""

    groups: list[FailureGroup]


class RetryRequest(WireModel):
    """Which files to try again: the named ones, those of one error, or all that failed."""

    file_ids: Maybe[Annotated[list[FileId], Field(min_length=1, max_length=1000)]] = None
    code: Maybe[Annotated[str, Field(max_length=64)]] = None


class RetryAnswer(WireModel):
    """How many files were queued again."""

    requeued: Count


class HitFile(WireModel):
    """The file that a hit was found in."""

    id: str
    name: str
    folder: str
    url: str | None
    mime_type: str | None
    pipeline_id: PipelineId
    indexed_at: Timestamp


class Mark(WireModel):
    """A part of a text, as offsets in code points."""

    start: Count
    end: Count


class SearchHit(WireModel):
    """A chunk that answers a query."""

    score: float = Field(ge=-1, le=1, description="what hits are ordered by")
    similarity: float | None = Field(description="of the vectors; null when searched by words")
    matched: list[Literal["text", "vector"]] = Field(description="how it was found")
    content: str
    snippet: str = Field(description="the part of it that tells most")
    marks: list[Mark] = Field(description="words of the query in `snippet`")
    file: HitFile
    chunk_index: int
    page: int | None


class SearchAnswer(WireModel):
    """`GET /v1/search` and `GET /api/search`: what answers a question, best first."""

    mode: Literal["hybrid", "vector", "text"]
    hits: list[SearchHit]
