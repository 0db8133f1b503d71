"""Events and snapshots as JSON objects. GENERATED from the models: `make generate`."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict, final

from raglive_contract.states import FileState, Stage, Standing

__all__ = [
    "NewEvent",
    "NewFileCompleted",
    "NewFileDeleted",
    "NewFileFailed",
    "NewFileProcessing",
    "NewFileSkipped",
    "NewPipelineOffline",
    "NewPipelineOnline",
    "NewStatusUpdate",
    "WireAttempt",
    "WireChunkPage",
    "WireCompletedEntry",
    "WireCompletedFile",
    "WireCounts",
    "WireDeletedFile",
    "WireDurableEvent",
    "WireEmbeddingBudget",
    "WireEmbeddingUsage",
    "WireEstimate",
    "WireEvent",
    "WireFailedEntry",
    "WireFailedFile",
    "WireFailureGroup",
    "WireFileCompleted",
    "WireFileDeleted",
    "WireFileDetail",
    "WireFileError",
    "WireFileFailed",
    "WireFileProcessing",
    "WireFileProgress",
    "WireFileRef",
    "WireFileResults",
    "WireFileRow",
    "WireFileSkipped",
    "WireFileStanding",
    "WireHeartbeat",
    "WireIndexedChunk",
    "WireLiveEvent",
    "WirePause",
    "WirePipelineOffline",
    "WirePipelineOnline",
    "WirePipelineStatus",
    "WirePipelineSummary",
    "WireProblem",
    "WireProcessingEntry",
    "WireProcessingFile",
    "WireRagStatus",
    "WireRagStatusPipeline",
    "WireSkipReason",
    "WireSkippedFile",
    "WireStageDuration",
    "WireStageRate",
    "WireStatusUpdate",
    "WireSubmittedEvent",
    "WireSubmittedFileCompleted",
    "WireSubmittedFileDeleted",
    "WireSubmittedFileFailed",
    "WireSubmittedFileProcessing",
    "WireSubmittedFileProgress",
    "WireSubmittedFileSkipped",
    "WireSubmittedHeartbeat",
    "WireSubmittedPipelineOffline",
    "WireSubmittedPipelineOnline",
    "WireSubmittedStatusUpdate",
    "WireSubscribedPipeline",
    "WireThroughput",
    "WireThroughputBucket",
]


@final
class WirePipelineOnline(TypedDict):
    """A pipeline has started."""

    id: str
    pipeline_id: str
    pipeline_type: str
    timestamp: str
    seq: int
    cursor: str
    type: Literal["pipeline:online"]
    status: Literal["online"]
    started_at: str
    check_interval: float
    watch_location: str


@final
class WirePipelineOffline(TypedDict):
    """A pipeline has stopped, or its heartbeat is missing."""

    id: str
    pipeline_id: str
    pipeline_type: str
    timestamp: str
    seq: int
    cursor: str
    type: Literal["pipeline:offline"]
    status: Literal["offline"]
    shutdown_at: str
    reason: Literal["normal_shutdown", "error", "timeout"]


@final
class WireProcessingFile(TypedDict):
    """A file that is being processed."""

    id: str
    name: str
    size: NotRequired[int]
    mime_type: NotRequired[str]
    folder: NotRequired[str]
    url: NotRequired[str]
    started_at: str


@final
class WireFileProcessing(TypedDict):
    """An attempt at a file has started."""

    id: str
    pipeline_id: str
    pipeline_type: str
    timestamp: str
    seq: int
    cursor: str
    type: Literal["file:processing"]
    file: WireProcessingFile
    processing_stage: Stage
    estimated_duration: NotRequired[float]
    attempt: int


@final
class WireCompletedFile(TypedDict):
    """A file that was indexed and is searchable."""

    id: str
    name: str
    size: NotRequired[int]
    mime_type: NotRequired[str]
    folder: NotRequired[str]
    url: NotRequired[str]
    started_at: NotRequired[str]
    completed_at: str


@final
class WireFileResults(TypedDict):
    """The results of a completed attempt."""

    chunks_created: int
    embeddings_generated: int
    processing_duration: float
    content_length: int


@final
class WireStageDuration(TypedDict):
    """The duration of one stage. Waiting before the first stage counts for none."""

    stage: Stage
    duration: float


@final
class WireFileCompleted(TypedDict):
    """A file's chunks are searchable, committed together with this event."""

    id: str
    pipeline_id: str
    pipeline_type: str
    timestamp: str
    seq: int
    cursor: str
    type: Literal["file:completed"]
    file: WireCompletedFile
    results: WireFileResults
    success: Literal[True]
    attempt: int
    stages: NotRequired[list[WireStageDuration]]


@final
class WireFailedFile(TypedDict):
    """A file with a failed attempt."""

    id: str
    name: str
    size: NotRequired[int]
    mime_type: NotRequired[str]
    folder: NotRequired[str]
    url: NotRequired[str]
    started_at: NotRequired[str]
    failed_at: str


@final
class WireFileError(TypedDict):
    """The reason why an attempt failed, and whether it is retried."""

    type: str
    code: str
    message: str
    stage: NotRequired[Stage]
    retryable: bool
    next_attempt_at: NotRequired[str]


@final
class WireFileFailed(TypedDict):
    """An attempt failed."""

    id: str
    pipeline_id: str
    pipeline_type: str
    timestamp: str
    seq: int
    cursor: str
    type: Literal["file:failed"]
    file: WireFailedFile
    error: WireFileError
    success: Literal[False]
    attempt: int
    stages: NotRequired[list[WireStageDuration]]


@final
class WireSkippedFile(TypedDict):
    """A file without content that can be indexed."""

    id: str
    name: str
    size: NotRequired[int]
    mime_type: NotRequired[str]
    folder: NotRequired[str]
    url: NotRequired[str]
    started_at: NotRequired[str]
    skipped_at: str


@final
class WireSkipReason(TypedDict):
    """The reason why a file was skipped."""

    code: str
    message: str


@final
class WireFileSkipped(TypedDict):
    """A file has no content that can be indexed; this is not a failure."""

    id: str
    pipeline_id: str
    pipeline_type: str
    timestamp: str
    seq: int
    cursor: str
    type: Literal["file:skipped"]
    file: WireSkippedFile
    reason: WireSkipReason
    attempt: NotRequired[int]
    stages: NotRequired[list[WireStageDuration]]


@final
class WireDeletedFile(TypedDict):
    """A file that was removed from its source and from the index."""

    id: str
    name: str
    deleted_at: str


@final
class WireFileDeleted(TypedDict):
    """A file was removed from its source, and its chunks from the index."""

    id: str
    pipeline_id: str
    pipeline_type: str
    timestamp: str
    seq: int
    cursor: str
    type: Literal["file:deleted"]
    file: WireDeletedFile
    reason: Literal["removed", "trashed", "moved_out"]


@final
class WireProblem(TypedDict):
    """What prevents a pipeline from working, until somebody acts."""

    code: str
    message: str
    since: str


@final
class WirePause(TypedDict):
    """Why a pipeline starts no files at present. It resumes by itself when the cause ends."""

    code: str
    message: str
    what_to_do: NotRequired[str]
    since: str


@final
class WireProcessingEntry(TypedDict):
    """A file in progress, with its stage and progress."""

    id: str
    name: str
    size: NotRequired[int]
    mime_type: NotRequired[str]
    folder: NotRequired[str]
    url: NotRequired[str]
    started_at: str
    processing_stage: Stage
    progress: float
    attempt: int
    standing: NotRequired[Literal["processing", "stuck", "lost"]]
    moved_at: NotRequired[str]


@final
class WireCompletedEntry(TypedDict):
    """A recently completed file."""

    id: str
    name: str
    size: NotRequired[int]
    mime_type: NotRequired[str]
    folder: NotRequired[str]
    url: NotRequired[str]
    started_at: NotRequired[str]
    completed_at: str
    results: WireFileResults
    attempt: int


@final
class WireFailedEntry(TypedDict):
    """A recently failed file."""

    id: str
    name: str
    size: NotRequired[int]
    mime_type: NotRequired[str]
    folder: NotRequired[str]
    url: NotRequired[str]
    started_at: NotRequired[str]
    failed_at: str
    error: WireFileError
    attempt: int


@final
class WireCounts(TypedDict):
    """The number of files in each state."""

    queued: int
    processing: int
    completed: int
    failed: int
    skipped: int
    waiting: int


@final
class WirePipelineStatus(TypedDict):
    """The status of a pipeline, exact at `cursor`."""

    pipeline_id: str
    pipeline_type: str
    status: Literal["online", "offline"]
    offline_reason: NotRequired[Literal["normal_shutdown", "error", "timeout"]]
    managed: bool
    started_at: NotRequired[str]
    watch_location: NotRequired[str]
    problem: NotRequired[WireProblem]
    paused: NotRequired[WirePause]
    last_heartbeat: NotRequired[str]
    last_check_time: NotRequired[str]
    next_check_time: NotRequired[str]
    check_interval: NotRequired[float]
    seconds_until_next_check: NotRequired[float]
    is_checking: bool
    last_activity: NotRequired[str]
    files_processing: list[WireProcessingEntry]
    files_completed: list[WireCompletedEntry]
    files_failed: list[WireFailedEntry]
    total_processed: int
    total_failed: int
    counts: WireCounts
    cursor: str
    digest: str


@final
class WireStatusUpdate(TypedDict):
    """Another change of the pipeline; carries the complete status."""

    id: str
    pipeline_id: str
    pipeline_type: str
    timestamp: str
    seq: int
    cursor: str
    type: Literal["status:update"]
    changes: dict[str, object]
    current_status: WirePipelineStatus


@final
class WireFileRef(TypedDict):
    """A reference to a file. The id stays the same when the file is renamed or moved."""

    id: str
    name: str


@final
class WireFileProgress(TypedDict):
    """The progress of the running attempt; conflated."""

    id: str
    pipeline_id: str
    pipeline_type: str
    timestamp: str
    type: Literal["file:progress"]
    file: WireFileRef
    processing_stage: Stage
    progress: float
    attempt: int


@final
class WireHeartbeat(TypedDict):
    """The pipeline is alive; a viewer that has seen `head_seq` is up to date."""

    id: str
    pipeline_id: str
    pipeline_type: str
    timestamp: str
    type: Literal["heartbeat"]
    status: Literal["alive"]
    uptime: float
    memory_usage: int
    active_files: int
    head_seq: int
    digest: str
    last_check_time: NotRequired[str]
    next_check_time: NotRequired[str]
    is_checking: bool


@final
class WireFailureGroup(TypedDict):
    """Files that failed, wait for a retry, or were skipped, for the same reason."""

    state: Literal["failed", "waiting", "skipped"]
    code: str
    stage: Stage | None
    count: int
    message: str
    is_common: bool
    retryable: bool
    next_attempt_at: str | None
    what_to_do: str


@final
class WireThroughputBucket(TypedDict):
    """The number of files that were finished in one interval."""

    start: str
    completed: int
    failed: int


@final
class WireStageRate(TypedDict):
    """The recent duration of a stage per mebibyte of file size."""

    stage: Stage
    seconds_per_mebibyte: float


@final
class WireEstimate(TypedDict):
    """The estimated time for all queued and running files, from recently completed files."""

    seconds_left: float | None
    unknown_because: Literal["nothing_to_do", "paused", "offline", "too_few_completed"] | None
    files_left: int
    stages: list[WireStageRate]


@final
class WireEmbeddingUsage(TypedDict):
    """Usage of embedding providers. The built-in model is not counted."""

    texts: int
    tokens: int
    cost: float


@final
class WireEmbeddingBudget(TypedDict):
    """A pipeline's budget for embeddings, in the currency of the configured price."""

    amount: float
    period: Literal["day", "month", "total"]
    spent: float


@final
class WireThroughput(TypedDict):
    """The files finished in the last half hour, and an estimate for the remaining ones."""

    bucket_seconds: float
    buckets: list[WireThroughputBucket]
    estimate: WireEstimate
    usage: WireEmbeddingUsage
    total_usage: WireEmbeddingUsage
    budget: WireEmbeddingBudget | None


@final
class WireFileStanding(TypedDict):
    """A file in progress that makes no progress."""

    id: str
    standing: Literal["stuck", "lost"]
    moved_at: str | None


@final
class WirePipelineSummary(TypedDict):
    """Counts, failures, throughput and stalled files, all exact at `head_seq`; conflated."""

    id: str
    pipeline_id: str
    pipeline_type: str
    timestamp: str
    type: Literal["pipeline:summary"]
    head_seq: int
    digest: str
    counts: WireCounts
    failures: list[WireFailureGroup]
    throughput: WireThroughput
    standings: list[WireFileStanding]


@final
class NewPipelineOnline(TypedDict):
    """A pipeline has started."""

    id: str
    timestamp: str
    type: Literal["pipeline:online"]
    status: Literal["online"]
    started_at: str
    check_interval: float
    watch_location: str


@final
class NewPipelineOffline(TypedDict):
    """A pipeline has stopped, or its heartbeat is missing."""

    id: str
    timestamp: str
    type: Literal["pipeline:offline"]
    status: Literal["offline"]
    shutdown_at: str
    reason: Literal["normal_shutdown", "error", "timeout"]


@final
class NewFileProcessing(TypedDict):
    """An attempt at a file has started."""

    id: str
    timestamp: str
    type: Literal["file:processing"]
    file: WireProcessingFile
    processing_stage: Stage
    estimated_duration: NotRequired[float]
    attempt: int


@final
class NewFileCompleted(TypedDict):
    """A file's chunks are searchable, committed together with this event."""

    id: str
    timestamp: str
    type: Literal["file:completed"]
    file: WireCompletedFile
    results: WireFileResults
    success: Literal[True]
    attempt: int
    stages: NotRequired[list[WireStageDuration]]


@final
class NewFileFailed(TypedDict):
    """An attempt failed."""

    id: str
    timestamp: str
    type: Literal["file:failed"]
    file: WireFailedFile
    error: WireFileError
    success: Literal[False]
    attempt: int
    stages: NotRequired[list[WireStageDuration]]


@final
class NewFileSkipped(TypedDict):
    """A file has no content that can be indexed; this is not a failure."""

    id: str
    timestamp: str
    type: Literal["file:skipped"]
    file: WireSkippedFile
    reason: WireSkipReason
    attempt: NotRequired[int]
    stages: NotRequired[list[WireStageDuration]]


@final
class NewFileDeleted(TypedDict):
    """A file was removed from its source, and its chunks from the index."""

    id: str
    timestamp: str
    type: Literal["file:deleted"]
    file: WireDeletedFile
    reason: Literal["removed", "trashed", "moved_out"]


@final
class NewStatusUpdate(TypedDict):
    """Another change of the pipeline; carries the complete status."""

    id: str
    timestamp: str
    type: Literal["status:update"]
    changes: dict[str, object]


@final
class WireSubmittedPipelineOnline(TypedDict):
    """`pipeline:online`, as published."""

    id: str
    pipeline_id: str
    pipeline_type: NotRequired[str]
    timestamp: NotRequired[str]
    type: Literal["pipeline:online"]
    status: Literal["online"]
    started_at: str
    check_interval: float
    watch_location: str


@final
class WireSubmittedPipelineOffline(TypedDict):
    """`pipeline:offline`, as published."""

    id: str
    pipeline_id: str
    pipeline_type: NotRequired[str]
    timestamp: NotRequired[str]
    type: Literal["pipeline:offline"]
    status: Literal["offline"]
    shutdown_at: str
    reason: Literal["normal_shutdown", "error", "timeout"]


@final
class WireSubmittedFileProcessing(TypedDict):
    """`file:processing`, as published."""

    id: str
    pipeline_id: str
    pipeline_type: NotRequired[str]
    timestamp: NotRequired[str]
    type: Literal["file:processing"]
    file: WireProcessingFile
    processing_stage: Stage
    estimated_duration: NotRequired[float]
    attempt: int


@final
class WireSubmittedFileProgress(TypedDict):
    """`file:progress`, as published."""

    id: str
    pipeline_id: str
    pipeline_type: NotRequired[str]
    timestamp: NotRequired[str]
    type: Literal["file:progress"]
    file: WireFileRef
    processing_stage: Stage
    progress: float
    attempt: int


@final
class WireSubmittedFileCompleted(TypedDict):
    """`file:completed`, as published."""

    id: str
    pipeline_id: str
    pipeline_type: NotRequired[str]
    timestamp: NotRequired[str]
    type: Literal["file:completed"]
    file: WireCompletedFile
    results: WireFileResults
    success: Literal[True]
    attempt: int
    stages: NotRequired[list[WireStageDuration]]


@final
class WireSubmittedFileFailed(TypedDict):
    """`file:failed`, as published."""

    id: str
    pipeline_id: str
    pipeline_type: NotRequired[str]
    timestamp: NotRequired[str]
    type: Literal["file:failed"]
    file: WireFailedFile
    error: WireFileError
    success: Literal[False]
    attempt: int
    stages: NotRequired[list[WireStageDuration]]


@final
class WireSubmittedFileSkipped(TypedDict):
    """`file:skipped`, as published."""

    id: str
    pipeline_id: str
    pipeline_type: NotRequired[str]
    timestamp: NotRequired[str]
    type: Literal["file:skipped"]
    file: WireSkippedFile
    reason: WireSkipReason
    attempt: NotRequired[int]
    stages: NotRequired[list[WireStageDuration]]


@final
class WireSubmittedFileDeleted(TypedDict):
    """`file:deleted`, as published."""

    id: str
    pipeline_id: str
    pipeline_type: NotRequired[str]
    timestamp: NotRequired[str]
    type: Literal["file:deleted"]
    file: WireDeletedFile
    reason: Literal["removed", "trashed", "moved_out"]


@final
class WireSubmittedStatusUpdate(TypedDict):
    """`status:update`, as published; the log adds the current status."""

    id: str
    pipeline_id: str
    pipeline_type: NotRequired[str]
    timestamp: NotRequired[str]
    type: Literal["status:update"]
    changes: dict[str, object]


@final
class WireSubmittedHeartbeat(TypedDict):
    """`heartbeat`, as published; the log adds the head."""

    id: str
    pipeline_id: str
    pipeline_type: NotRequired[str]
    timestamp: NotRequired[str]
    type: Literal["heartbeat"]
    status: Literal["alive"]
    uptime: float
    memory_usage: int
    active_files: int


@final
class WireSubscribedPipeline(TypedDict):
    """A viewer's position in one pipeline's log. Missed events were sent before this answer."""

    pipeline_id: str
    snapshot: WirePipelineStatus
    cursor: str
    digest: str
    recovered: bool
    replayed: int


@final
class WireRagStatusPipeline(TypedDict):
    """One pipeline in `GET /api/rag-status`."""

    pipeline_id: str
    pipeline_type: str
    server_status: Literal["online", "offline"]
    last_heartbeat: str | None
    status_details: WirePipelineStatus
    is_active: bool
    summary: WirePipelineSummary


@final
class WireRagStatus(TypedDict):
    """`GET /api/rag-status`: the status of every pipeline, and the events since `cursor`."""

    status: Literal["online", "offline"]
    pipelines: list[WireRagStatusPipeline]
    serverTime: str
    status_details: WirePipelineStatus | None
    last_activity: str | None
    files_processing: list[dict[str, object]]
    files_completed: list[dict[str, object]]
    files_failed: list[dict[str, object]]
    websocket_available: bool
    websocket_url: str
    websocket_namespaces: list[str]
    fallback_mode: bool
    events: list[WireEvent]
    next_cursor: str
    up_to_date: bool
    poll_after_ms: int
    seen: NotRequired[str]
    removed: NotRequired[list[str]]
    pipelines_left: NotRequired[int]


@final
class WireFileRow(TypedDict):
    """A file in the registry, with its latest attempt."""

    id: str
    name: str
    folder: str
    url: str | None
    mime_type: str | None
    size: int | None
    state: FileState
    standing: Standing
    processing_stage: Stage | None
    progress: float | None
    attempt: int
    results: WireFileResults | None
    error: WireFileError | None
    reason: WireSkipReason | None
    first_seen_at: str
    started_at: str | None
    finished_at: str | None
    updated_at: str
    moved_at: str | None
    next_attempt_at: str | None


@final
class WireAttempt(TypedDict):
    """One attempt at a file, from its claim to its commit. Attempts are never deleted."""

    attempt: int
    worker: str | None
    started_at: str
    finished_at: str | None
    outcome: Literal["running", "completed", "failed", "skipped", "lost", "cancelled"]
    stages: list[WireStageDuration]
    error: WireFileError | None


@final
class WireIndexedChunk(TypedDict):
    """A chunk of a file, as stored in the index."""

    chunk_index: int
    content: str
    page: int | None


@final
class WireFileDetail(TypedDict):
    """A file with all its attempts and its first chunks."""

    file: WireFileRow
    what_to_do: str | None
    usage: WireEmbeddingUsage
    attempts: list[WireAttempt]
    chunks: list[WireIndexedChunk]
    chunk_count: int


@final
class WireChunkPage(TypedDict):
    """A file's chunks in order; `next` is the `after` of the next page."""

    chunks: list[WireIndexedChunk]
    next: int | None


WireDurableEvent = (
    WirePipelineOnline
    | WirePipelineOffline
    | WireFileProcessing
    | WireFileCompleted
    | WireFileFailed
    | WireFileSkipped
    | WireFileDeleted
    | WireStatusUpdate
)
WireLiveEvent = WireFileProgress | WireHeartbeat
WireEvent = (
    WirePipelineOnline
    | WirePipelineOffline
    | WireFileProcessing
    | WireFileProgress
    | WireFileCompleted
    | WireFileFailed
    | WireFileSkipped
    | WireFileDeleted
    | WireStatusUpdate
    | WireHeartbeat
    | WirePipelineSummary
)
NewEvent = (
    NewPipelineOnline
    | NewPipelineOffline
    | NewFileProcessing
    | NewFileCompleted
    | NewFileFailed
    | NewFileSkipped
    | NewFileDeleted
    | NewStatusUpdate
)
WireSubmittedEvent = (
    WireSubmittedPipelineOnline
    | WireSubmittedPipelineOffline
    | WireSubmittedFileProcessing
    | WireSubmittedFileProgress
    | WireSubmittedFileCompleted
    | WireSubmittedFileFailed
    | WireSubmittedFileSkipped
    | WireSubmittedFileDeleted
    | WireSubmittedStatusUpdate
    | WireSubmittedHeartbeat
)
