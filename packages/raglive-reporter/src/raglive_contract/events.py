"""Every event, as producers publish it and as viewers receive it.

A producer publishes the fields with an id; the log adds the position in the pipeline's order.
Durable events are sequenced and replayed. Conflated events carry the latest value, and have neither
seq nor cursor.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, field_validator

from raglive_contract.files import (
    CompletedFile,
    DeletedFile,
    FailedFile,
    FileError,
    FileRef,
    FileResults,
    ProcessingFile,
    SkippedFile,
    SkipReason,
    StageDuration,
)
from raglive_contract.model import (
    Count,
    EventId,
    Maybe,
    PipelineId,
    PipelineType,
    Seconds,
    Timestamp,
    WireModel,
)
from raglive_contract.snapshot import Counts, PipelineStatus, Problem
from raglive_contract.states import OfflineReason, Stage
from raglive_contract.summary import FailureGroup, FileStanding, Throughput

__all__ = [
    "CONFLATED_TYPES",
    "DURABLE_TYPES",
    "Event",
    "FileCompleted",
    "FileDeleted",
    "FileFailed",
    "FileProcessing",
    "FileProgress",
    "FileSkipped",
    "Heartbeat",
    "PipelineOffline",
    "PipelineOnline",
    "PipelineSummary",
    "StatusUpdate",
    "Submission",
    "SubmittedEvent",
    "event_adapter",
    "submission_adapter",
]

Attempt = Annotated[int, Field(ge=1, le=2**31 - 1)]
Stages = Maybe[Annotated[list[StageDuration], Field(max_length=16)]]
Text = Annotated[str, Field(max_length=4096)]


class _PipelineOnlineFields(WireModel):
    type: Literal["pipeline:online"] = "pipeline:online"
    status: Literal["online"] = "online"
    started_at: Timestamp
    check_interval: Seconds
    watch_location: Text


class _PipelineOfflineFields(WireModel):
    type: Literal["pipeline:offline"] = "pipeline:offline"
    status: Literal["offline"] = "offline"
    shutdown_at: Timestamp
    reason: OfflineReason


class _FileProcessingFields(WireModel):
    type: Literal["file:processing"] = "file:processing"
    file: ProcessingFile
    processing_stage: Stage
    estimated_duration: Maybe[Seconds] = None
    attempt: Attempt


class _FileProgressFields(WireModel):
    type: Literal["file:progress"] = "file:progress"
    file: FileRef
    processing_stage: Stage
    progress: Annotated[float, Field(ge=0, le=1)]
    attempt: Attempt


class _FileCompletedFields(WireModel):
    type: Literal["file:completed"] = "file:completed"
    file: CompletedFile
    results: FileResults
    success: Literal[True] = True
    attempt: Attempt
    stages: Stages = None


class _FileFailedFields(WireModel):
    type: Literal["file:failed"] = "file:failed"
    file: FailedFile
    error: FileError
    success: Literal[False] = False
    attempt: Attempt
    stages: Stages = None


class _FileSkippedFields(WireModel):
    type: Literal["file:skipped"] = "file:skipped"
    file: SkippedFile
    reason: SkipReason
    attempt: Maybe[Attempt] = None
    stages: Stages = None


class _FileDeletedFields(WireModel):
    type: Literal["file:deleted"] = "file:deleted"
    file: DeletedFile
    reason: Literal["removed", "trashed", "moved_out"]


class _StatusUpdateFields(WireModel):
    type: Literal["status:update"] = "status:update"
    changes: dict[str, Any]

    @field_validator("changes")
    @classmethod
    def _problem_is_whole(cls, changes: dict[str, Any]) -> dict[str, Any]:
        if changes.get("problem") is None:
            return changes
        return changes | {"problem": Problem.model_validate(changes["problem"]).wire()}


class _HeartbeatFields(WireModel):
    type: Literal["heartbeat"] = "heartbeat"
    status: Literal["alive"] = "alive"
    uptime: Seconds
    memory_usage: Count = Field(description="bytes")
    active_files: Count


class _Submitted(WireModel):
    """The fields that a producer adds to those of an event's type."""

    id: EventId
    pipeline_id: PipelineId
    pipeline_type: Maybe[PipelineType] = None
    timestamp: Maybe[Timestamp] = None


class _Envelope(WireModel):
    """The fields that every event carries in addition to those of its type."""

    id: EventId
    pipeline_id: PipelineId
    pipeline_type: PipelineType
    timestamp: Timestamp


class _Sequenced(_Envelope):
    """The position of a durable event in its pipeline's log."""

    seq: Annotated[int, Field(ge=1)]
    cursor: str


class PipelineOnline(_PipelineOnlineFields, _Sequenced):
    """A pipeline has started."""


class PipelineOffline(_PipelineOfflineFields, _Sequenced):
    """A pipeline has stopped, or its heartbeat is missing."""


class FileProcessing(_FileProcessingFields, _Sequenced):
    """An attempt at a file has started."""


class FileProgress(_FileProgressFields, _Envelope):
    """The progress of the running attempt; conflated."""


class FileCompleted(_FileCompletedFields, _Sequenced):
    """A file's chunks are searchable, committed together with this event."""


class FileFailed(_FileFailedFields, _Sequenced):
    """An attempt failed."""


class FileSkipped(_FileSkippedFields, _Sequenced):
    """A file has no content that can be indexed; this is not a failure."""


class FileDeleted(_FileDeletedFields, _Sequenced):
    """A file was removed from its source, and its chunks from the index."""


class StatusUpdate(_StatusUpdateFields, _Sequenced):
    """Another change of the pipeline; carries the complete status."""

    current_status: PipelineStatus


class PipelineSummary(_Envelope):
    """Counts, failures, throughput and stalled files, all exact at `head_seq`; conflated.

    The server sends it after the answer to `subscribe`, and again when it has changed, at most
    once a second. Producers do not publish it.
    """

    type: Literal["pipeline:summary"] = "pipeline:summary"
    head_seq: Count
    digest: str
    counts: Counts
    failures: Annotated[
        list[FailureGroup],
        Field(max_length=50, description="files that are not searchable, grouped by reason"),
    ]
    throughput: Throughput
    standings: Annotated[
        list[FileStanding],
        Field(max_length=200, description="files in progress that make no progress"),
    ]


class Heartbeat(_HeartbeatFields, _Envelope):
    """The pipeline is alive; a viewer that has seen `head_seq` is up to date."""

    head_seq: Count
    digest: str
    last_check_time: Maybe[Timestamp] = None
    next_check_time: Maybe[Timestamp] = None
    is_checking: bool = False


Event = Annotated[
    PipelineOnline
    | PipelineOffline
    | FileProcessing
    | FileProgress
    | FileCompleted
    | FileFailed
    | FileSkipped
    | FileDeleted
    | StatusUpdate
    | Heartbeat
    | PipelineSummary,
    Field(discriminator="type"),
]


class SubmittedPipelineOnline(_PipelineOnlineFields, _Submitted):
    """`pipeline:online`, as published."""


class SubmittedPipelineOffline(_PipelineOfflineFields, _Submitted):
    """`pipeline:offline`, as published."""


class SubmittedFileProcessing(_FileProcessingFields, _Submitted):
    """`file:processing`, as published."""


class SubmittedFileProgress(_FileProgressFields, _Submitted):
    """`file:progress`, as published."""


class SubmittedFileCompleted(_FileCompletedFields, _Submitted):
    """`file:completed`, as published."""


class SubmittedFileFailed(_FileFailedFields, _Submitted):
    """`file:failed`, as published."""


class SubmittedFileSkipped(_FileSkippedFields, _Submitted):
    """`file:skipped`, as published."""


class SubmittedFileDeleted(_FileDeletedFields, _Submitted):
    """`file:deleted`, as published."""


class SubmittedStatusUpdate(_StatusUpdateFields, _Submitted):
    """`status:update`, as published; the log adds the current status."""


class SubmittedHeartbeat(_HeartbeatFields, _Submitted):
    """`heartbeat`, as published; the log adds the head."""


SubmittedEvent = Annotated[
    SubmittedPipelineOnline
    | SubmittedPipelineOffline
    | SubmittedFileProcessing
    | SubmittedFileProgress
    | SubmittedFileCompleted
    | SubmittedFileFailed
    | SubmittedFileSkipped
    | SubmittedFileDeleted
    | SubmittedStatusUpdate
    | SubmittedHeartbeat,
    Field(discriminator="type"),
]


class Submission(WireModel):
    """A batch of events to publish; it is committed as a whole or not at all."""

    events: Annotated[list[SubmittedEvent], Field(min_length=1, max_length=1000)]


CONFLATED_TYPES = frozenset({"file:progress", "heartbeat", "pipeline:summary"})
DURABLE_TYPES = frozenset(
    {
        "pipeline:online",
        "pipeline:offline",
        "file:processing",
        "file:completed",
        "file:failed",
        "file:skipped",
        "file:deleted",
        "status:update",
    }
)

event_adapter: TypeAdapter[Event] = TypeAdapter(Event)
submission_adapter: TypeAdapter[Submission] = TypeAdapter(Submission)
