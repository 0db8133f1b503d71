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
    "SignInRequest",
    "SignedIn",
    "SocketFeatures",
    "SocketInfo",
    "SocketServerInfo",
    "SocketTest",
    "SocketTestRequest",
    "SystemHealth",
    "SystemState",
    "WebSocketHealth",
    "WebSocketPlace",
]

Milliseconds = Annotated[float, Field(ge=0, description="milliseconds")]


class RagStatusPipeline(WireModel):
    """One pipeline in `GET /api/rag-status`."""

    pipeline_id: PipelineId
    pipeline_type: PipelineType
    server_status: PipelineState
    last_heartbeat: Timestamp | None
    status_details: PipelineStatus
    is_active: bool = Field(
        description="whether the pipeline is online and its heartbeat is recent"
    )
    summary: PipelineSummary


class RagStatus(WireModel):
    """`GET /api/rag-status`: the status of every pipeline, and the events since `cursor`.

    Pipelines that do not fit into about 100 kB are left out and counted in `pipelines_left`. With
    `seen`, the answer has only the pipelines that have changed, and the next poll has the rest.
    `status` and `last_activity` are those of all pipelines, and the lists of files are those of the
    pipelines in the answer.
    """

    status: PipelineState
    pipelines: list[RagStatusPipeline]
    serverTime: Timestamp  # noqa: N815 - the name that earlier clients know
    status_details: PipelineStatus | None = Field(
        description="status of the pipeline if there is exactly one and it is sent, else null"
    )
    last_activity: Timestamp | None
    files_processing: list[dict[str, object]]
    files_completed: list[dict[str, object]]
    files_failed: list[dict[str, object]]
    websocket_available: bool
    websocket_url: str
    websocket_namespaces: list[str]
    fallback_mode: bool = Field(
        description="whether the status server is down, so that clients must poll"
    )
    events: list[Event] = Field(description="durable events after `cursor`, in order")
    next_cursor: str
    up_to_date: bool = Field(
        description="false if more events or, with `seen`, pipelines are available: "
        "poll again at once"
    )
    poll_after_ms: Count
    seen: Maybe[str] = Field(
        default=None,
        description="revisions of the pipelines that were sent, to pass on with `next_cursor`; "
        "only if `seen` was passed",
    )
    removed: Maybe[list[str]] = Field(
        default=None,
        description="epochs (the part of a cursor before the dot) of pipelines that the cursor "
        "names and the caller can no longer view; only if `seen` was passed",
    )
    pipelines_left: Maybe[Count] = Field(
        default=None, description="pipelines that did not fit; absent if there are none"
    )


class SocketFeatures(WireModel):
    """The features that the status server offers at the moment."""

    realtime_updates: bool
    file_progress: bool
    auto_reconnect: bool
    fallback_polling: bool


class SocketInfo(WireModel):
    """`GET /api/socket/info`: whether the status server accepts connections."""

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
    """The status server's answer to the connection test."""

    version: str
    connected_clients: Count
    uptime: Seconds


class SocketTest(WireModel):
    """The result of a Socket.IO round trip to the status server."""

    success: bool
    latency: Milliseconds | None
    transport: str | None
    timestamp: Timestamp
    server_info: SocketServerInfo | None
    error: str | None


class DatabaseHealth(WireModel):
    """The health of the database, measured by a query."""

    status: Literal["healthy", "unhealthy"]
    latency: Milliseconds | None
    error: Maybe[str] = None


class WebSocketHealth(WireModel):
    """The health of the status server, measured by a request."""

    status: Literal["healthy", "degraded", "unhealthy"]
    url: str
    latency: Milliseconds | None
    connected_clients: Count | None


class PipelineHealth(WireModel):
    """The health of the pipelines of one type: the worst state among them."""

    status: Literal["healthy", "degraded", "unhealthy"]
    state: Literal["running", "paused", "needs_attention", "silent", "offline"]
    last_heartbeat: Timestamp | None
    problem: Maybe[Problem] = Field(
        default=None, description="problem of the first pipeline that has one"
    )
    paused: Maybe[Pause] = Field(default=None, description="pause of the first paused pipeline")


class ServiceHealth(WireModel):
    """The health of the database, the status server and the pipelines."""

    database: DatabaseHealth
    websocket: WebSocketHealth
    rag_pipelines: dict[str, PipelineHealth]


class SystemState(WireModel):
    """`GET /api/health` without a token: the health of the whole system."""

    status: Literal["healthy", "degraded", "unhealthy"]
    timestamp: Timestamp


class SystemHealth(SystemState):
    """`GET /api/health` with a token: the health of the system and of its services."""

    services: ServiceHealth
    version: str
    uptime: Seconds


class ServerHealth(WireModel):
    """`GET /health` of the status server: its state and number of clients."""

    status: Literal["healthy", "degraded", "unhealthy"]
    http_server: Literal["running"]
    websocket_server: Literal["running", "draining"]
    problems: list[str] = Field([], description="what is wrong")
    connected_clients: Count
    version: str
    uptime: Seconds


class WebSocketPlace(WireModel):
    """The public address of the status server, with its Socket.IO path and namespaces."""

    url: str = Field(description="an origin; `.` is the address of the dashboard")
    path: str
    namespaces: list[str]
    every_pipeline: str = Field(description="the namespace of every pipeline, whatever its type")


class Session(WireModel):
    """`GET /api/session`: a short-lived token for the dashboard's own page."""

    token: str | None
    expires_at: Timestamp | None
    role: Role | None
    redacted: bool = Field(default=False, description="whether file names and details are masked")
    may_operate: bool = Field(description="whether the page may retry files")
    websocket: WebSocketPlace
    version: str


class SignInRequest(WireModel):
    """`POST /api/sign-in`: the one-time secret of the address that `raglive up` prints."""

    secret: Annotated[str, Field(pattern=r"^[\w-]{1,128}$")]


class SignedIn(WireModel):
    """The answer to `POST /api/sign-in`: the token of the browser."""

    token: str
    expires_at: Timestamp


class PipelineList(WireModel):
    """A page of pipelines that the caller may view; pass `next` as `after` to get the next page."""

    pipelines: list[PipelineStatus]
    next: str | None
    total: Count


class FileRow(WireModel):
    """A file in the registry, with its latest attempt."""

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
    next_attempt_at: Timestamp | None = Field(
        description="time of the next retry, if one is scheduled"
    )


class FilePage(WireModel):
    """A page of a pipeline's files; pass `next` as `after` to get the next page."""

    files: list[FileRow]
    next: str | None
    total: Count


class Attempt(WireModel):
    """One attempt at a file, from its claim to its commit. Attempts are never deleted."""

    attempt: int
    worker: str | None
    started_at: Timestamp
    finished_at: Timestamp | None
    outcome: Literal["running", "completed", "failed", "skipped", "lost", "cancelled"]
    stages: list[StageDuration]
    error: FileError | None


class IndexedChunk(WireModel):
    """A chunk of a file, as stored in the index."""

    chunk_index: int
    content: str
    page: int | None


class FileDetail(WireModel):
    """A file with all its attempts and its first chunks."""

    file: FileRow
    what_to_do: str | None = Field(
        description="advice for a file that failed, was skipped, or waits for a retry"
    )
    usage: EmbeddingUsage
    attempts: list[Attempt]
    chunks: list[IndexedChunk]
    chunk_count: Count


class ChunkPage(WireModel):
    """A file's chunks in order; `next` is the `after` of the next page."""

    chunks: list[IndexedChunk]
    next: int | None = Field(description="the last chunk index of this page")


class EventPage(WireModel):
    """Durable events, newest first; pass `next` as `before` to get the next page."""

    events: list[Event]
    next: str | None
    cursor: str
    digest: str


class FailureGroups(WireModel):
    """The files that are not searchable, grouped by reason."""

    groups: list[FailureGroup]


class RetryRequest(WireModel):
    """The files to retry: by id, by error code, or all failed files if neither is given."""

    file_ids: Maybe[Annotated[list[FileId], Field(min_length=1, max_length=1000)]] = None
    code: Maybe[Annotated[str, Field(max_length=64)]] = None


class RetryAnswer(WireModel):
    """The number of files that were queued again."""

    requeued: Count


class HitFile(WireModel):
    """The file that contains a hit."""

    id: str
    name: str
    folder: str
    url: str | None
    mime_type: str | None
    pipeline_id: PipelineId
    indexed_at: Timestamp


class Mark(WireModel):
    """A range of characters; the offsets count code points."""

    start: Count
    end: Count


class SearchHit(WireModel):
    """A chunk that matches a search."""

    score: float = Field(ge=-1, le=1, description="relevance, by which hits are ordered")
    similarity: float | None = Field(
        description="cosine similarity of the vectors; null in a search by words only"
    )
    matched: list[Literal["text", "vector"]] = Field(description="which searches found the chunk")
    content: str
    snippet: str = Field(description="most relevant part of `content`")
    marks: list[Mark] = Field(description="matched words in `snippet`")
    file: HitFile
    chunk_index: int
    page: int | None


class SearchAnswer(WireModel):
    """`GET /v1/search` and `GET /api/search`: the best matching chunks, best first."""

    mode: Literal["hybrid", "vector", "text"]
    hits: list[SearchHit]
