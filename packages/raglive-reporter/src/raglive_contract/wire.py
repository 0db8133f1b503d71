"""Events and snapshots as JSON objects. GENERATED from the models: `make generate`."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from raglive_contract.states import Stage

__all__ = [
    "NewEvent",
    "NewFileCompleted",
    "NewFileDeleted",
    "NewFileFailed",
    "NewFileProcessing",
    "NewFileProgress",
    "NewFileSkipped",
    "NewHeartbeat",
    "NewPipelineOffline",
    "NewPipelineOnline",
    "NewStatusUpdate",
    "WireCompletedEntry",
    "WireCompletedFile",
    "WireCounts",
    "WireDeletedFile",
    "WireEmbeddingBudget",
    "WireEmbeddingUsage",
    "WireEstimate",
    "WireEvent",
    "WireFailedEntry",
    "WireFailedFile",
    "WireFailureGroup",
    "WireFileCompleted",
    "WireFileDeleted",
    "WireFileError",
    "WireFileFailed",
    "WireFileProcessing",
    "WireFileProgress",
    "WireFileRef",
    "WireFileResults",
    "WireFileSkipped",
    "WireFileStanding",
    "WireHeartbeat",
    "WirePause",
    "WirePipelineOffline",
    "WirePipelineOnline",
    "WirePipelineStatus",
    "WirePipelineSummary",
    "WireProblem",
    "WireProcessingEntry",
    "WireProcessingFile",
    "WireSkipReason",
    "WireSkippedFile",
    "WireStageDuration",
    "WireStageRate",
    "WireStatusUpdate",
    "WireThroughput",
    "WireThroughputBucket",
]


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


class WirePipelineOffline(TypedDict):
    """A pipeline has stopped, or was found silent."""

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


class WireProcessingFile(TypedDict):
    """A file whose attempt has started."""

    id: str
    name: str
    size: NotRequired[int]
    mime_type: NotRequired[str]
    folder: NotRequired[str]
    url: NotRequired[str]
    started_at: str


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


class WireFileRef(TypedDict):
    """Which file; the id outlives a rename."""

    id: str
    name: str


class WireFileProgress(TypedDict):
    """How far the running attempt is; conflated."""

    id: str
    pipeline_id: str
    pipeline_type: str
    timestamp: str
    type: Literal["file:progress"]
    file: WireFileRef
    processing_stage: Stage
    progress: float
    attempt: int


class WireCompletedFile(TypedDict):
    """A file that is searchable."""

    id: str
    name: str
    size: NotRequired[int]
    mime_type: NotRequired[str]
    folder: NotRequired[str]
    url: NotRequired[str]
    started_at: NotRequired[str]
    completed_at: str


class WireFileResults(TypedDict):
    """What a completed attempt made."""

    chunks_created: int
    embeddings_generated: int
    processing_duration: float
    content_length: int


class WireStageDuration(TypedDict):
    """How long a stage of an attempt took."""

    stage: Stage
    duration: float


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


class WireFailedFile(TypedDict):
    """A file whose attempt failed."""

    id: str
    name: str
    size: NotRequired[int]
    mime_type: NotRequired[str]
    folder: NotRequired[str]
    url: NotRequired[str]
    started_at: NotRequired[str]
    failed_at: str


class WireFileError(TypedDict):
    """Why an attempt failed, and whether there will be another."""

    type: str
    code: str
    message: str
    stage: NotRequired[Stage]
    retryable: bool
    next_attempt_at: NotRequired[str]


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


class WireSkippedFile(TypedDict):
    """A file that holds nothing that could be indexed."""

    id: str
    name: str
    size: NotRequired[int]
    mime_type: NotRequired[str]
    folder: NotRequired[str]
    url: NotRequired[str]
    started_at: NotRequired[str]
    skipped_at: str


class WireSkipReason(TypedDict):
    """Why a file was skipped."""

    code: str
    message: str


class WireFileSkipped(TypedDict):
    """A file holds nothing to index; this is not a failure."""

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


class WireDeletedFile(TypedDict):
    """A file that is gone from its source, and from the index."""

    id: str
    name: str
    deleted_at: str


class WireFileDeleted(TypedDict):
    """A file is gone from the source, and its chunks from the index."""

    id: str
    pipeline_id: str
    pipeline_type: str
    timestamp: str
    seq: int
    cursor: str
    type: Literal["file:deleted"]
    file: WireDeletedFile
    reason: Literal["removed", "trashed", "moved_out"]


class WireProblem(TypedDict):
    """What keeps a pipeline from doing its work, and needs somebody."""

    code: str
    message: str
    since: str


class WirePause(TypedDict):
    """Why a pipeline takes up no file for now; it goes on by itself when that has passed."""

    code: str
    message: str
    what_to_do: NotRequired[str]
    since: str


class WireProcessingEntry(TypedDict):
    """A file in progress."""

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


class WireCompletedEntry(TypedDict):
    """A file lately completed."""

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


class WireFailedEntry(TypedDict):
    """A file lately failed."""

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


class WireCounts(TypedDict):
    """How many files stand in each state now."""

    queued: int
    processing: int
    completed: int
    failed: int
    skipped: int
    waiting: int


class WirePipelineStatus(TypedDict):
    """The snapshot of a pipeline, exactly at `cursor`."""

    pipeline_id: str
    pipeline_type: str
    status: Literal["online", "offline"]
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


class WireStatusUpdate(TypedDict):
    """Something else about the pipeline changed; carries the whole status."""

    id: str
    pipeline_id: str
    pipeline_type: str
    timestamp: str
    seq: int
    cursor: str
    type: Literal["status:update"]
    changes: dict[str, Any]
    current_status: WirePipelineStatus


class WireHeartbeat(TypedDict):
    """The pipeline is alive; `head_seq` says what a viewer must have seen to be up to date."""

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


class WireFailureGroup(TypedDict):
    """Files that failed, wait for a retry, or were skipped, for the same reason."""

    state: Literal["failed", "waiting", "skipped"]
    code: str
    stage: Stage | None
    count: int
    message: str
    retryable: bool
    next_attempt_at: str | None
    what_to_do: str


class WireThroughputBucket(TypedDict):
    """What was finished in one span of time."""

    start: str
    completed: int
    failed: int


class WireStageRate(TypedDict):
    """How long a stage lately took for a mebibyte of the files."""

    stage: Stage
    seconds_per_mebibyte: float


class WireEstimate(TypedDict):
    """How long what is queued and in progress will take, judged by what was lately completed."""

    seconds_left: float | None
    unknown_because: Literal["nothing_to_do", "paused", "offline", "too_few_completed"] | None
    files_left: int
    stages: list[WireStageRate]


class WireEmbeddingUsage(TypedDict):
    """What was asked of embedding providers; what the built-in model does is not counted."""

    texts: int
    tokens: int
    cost: float


class WireEmbeddingBudget(TypedDict):
    """What a pipeline may spend on embeddings, in the currency of the price that was set."""

    amount: float
    period: Literal["day", "month", "total"]
    spent: float


class WireThroughput(TypedDict):
    """What was finished in the last half hour, and what that says of the rest."""

    bucket_seconds: float
    buckets: list[WireThroughputBucket]
    estimate: WireEstimate
    usage: WireEmbeddingUsage
    total_usage: WireEmbeddingUsage
    budget: WireEmbeddingBudget | None


class WireFileStanding(TypedDict):
    """A file in progress that does not progress."""

    id: str
    standing: Literal["stuck", "lost"]
    moved_at: str | None


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


class NewPipelineOnline(TypedDict):
    """A pipeline has started."""

    id: str
    timestamp: str
    type: Literal["pipeline:online"]
    status: Literal["online"]
    started_at: str
    check_interval: float
    watch_location: str


class NewPipelineOffline(TypedDict):
    """A pipeline has stopped, or was found silent."""

    id: str
    timestamp: str
    type: Literal["pipeline:offline"]
    status: Literal["offline"]
    shutdown_at: str
    reason: Literal["normal_shutdown", "error", "timeout"]


class NewFileProcessing(TypedDict):
    """An attempt at a file has started."""

    id: str
    timestamp: str
    type: Literal["file:processing"]
    file: WireProcessingFile
    processing_stage: Stage
    estimated_duration: NotRequired[float]
    attempt: int


class NewFileProgress(TypedDict):
    """How far the running attempt is; conflated."""

    id: str
    timestamp: str
    type: Literal["file:progress"]
    file: WireFileRef
    processing_stage: Stage
    progress: float
    attempt: int


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


class NewFileSkipped(TypedDict):
    """A file holds nothing to index; this is not a failure."""

    id: str
    timestamp: str
    type: Literal["file:skipped"]
    file: WireSkippedFile
    reason: WireSkipReason
    attempt: NotRequired[int]
    stages: NotRequired[list[WireStageDuration]]


class NewFileDeleted(TypedDict):
    """A file is gone from the source, and its chunks from the index."""

    id: str
    timestamp: str
    type: Literal["file:deleted"]
    file: WireDeletedFile
    reason: Literal["removed", "trashed", "moved_out"]


class NewStatusUpdate(TypedDict):
    """Something else about the pipeline changed; carries the whole status."""

    id: str
    timestamp: str
    type: Literal["status:update"]
    changes: dict[str, Any]


class NewHeartbeat(TypedDict):
    """The pipeline is alive; `head_seq` says what a viewer must have seen to be up to date."""

    id: str
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
    | NewFileProgress
    | NewFileCompleted
    | NewFileFailed
    | NewFileSkipped
    | NewFileDeleted
    | NewStatusUpdate
    | NewHeartbeat
)
