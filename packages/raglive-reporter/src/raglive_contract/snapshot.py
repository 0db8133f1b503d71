"""`pipeline:status`: the complete status of a pipeline at one cursor."""

from __future__ import annotations

from pydantic import Field

from raglive_contract.files import (
    CompletedFile,
    FailedFile,
    FileError,
    FileResults,
    ProcessingFile,
)
from raglive_contract.model import (
    Count,
    Maybe,
    PipelineId,
    PipelineType,
    Seconds,
    Timestamp,
    WireModel,
)
from raglive_contract.states import OfflineReason, PipelineState, ProcessingStanding, Stage

__all__ = [
    "CompletedEntry",
    "Counts",
    "FailedEntry",
    "Pause",
    "PipelineStatus",
    "Problem",
    "ProcessingEntry",
]


class Counts(WireModel):
    """The number of files in each state."""

    queued: Count = 0
    processing: Count = 0
    completed: Count = 0
    failed: Count = 0
    skipped: Count = 0
    waiting: Count = Field(
        default=0, description="queued files that wait for a retry; also counted in `queued`"
    )


class Problem(WireModel):
    """What prevents a pipeline from working, until somebody acts."""

    code: str
    message: str
    since: Timestamp


class Pause(WireModel):
    """Why a pipeline starts no files at present. It resumes by itself when the cause ends."""

    code: str
    message: str
    what_to_do: Maybe[str] = None
    since: Timestamp


class ProcessingEntry(ProcessingFile):
    """A file in progress, with its stage and progress."""

    processing_stage: Stage
    progress: float = Field(ge=0, le=1)
    attempt: int
    standing: Maybe[ProcessingStanding] = None
    moved_at: Maybe[Timestamp] = Field(default=None, description="when it last progressed")


class CompletedEntry(CompletedFile):
    """A recently completed file."""

    results: FileResults
    attempt: int


class FailedEntry(FailedFile):
    """A recently failed file."""

    error: FileError
    attempt: int


class PipelineStatus(WireModel):
    """The status of a pipeline, exact at `cursor`."""

    pipeline_id: PipelineId
    pipeline_type: PipelineType
    status: PipelineState
    offline_reason: Maybe[OfflineReason] = Field(
        default=None, description="why it is offline; absent while it is online, or never was"
    )
    managed: bool = Field(
        default=True,
        description="raglive watches its source. An event of a file, or a heartbeat, of another "
        "pipeline makes it online",
    )
    started_at: Maybe[Timestamp] = None
    watch_location: Maybe[str] = None
    problem: Maybe[Problem] = None
    paused: Maybe[Pause] = None
    last_heartbeat: Maybe[Timestamp] = None
    last_check_time: Maybe[Timestamp] = None
    next_check_time: Maybe[Timestamp] = None
    check_interval: Maybe[Seconds] = None
    seconds_until_next_check: Maybe[Seconds] = None
    is_checking: bool = False
    last_activity: Maybe[Timestamp] = None
    files_processing: list[ProcessingEntry]
    files_completed: list[CompletedEntry] = Field(description="the last 10, newest first")
    files_failed: list[FailedEntry] = Field(description="the last 5, newest first")
    total_processed: Count = Field(description="number of `file:completed` events so far")
    total_failed: Count = Field(description="number of files that failed for good so far")
    counts: Counts
    cursor: str
    digest: str = Field(description="64 hexadecimal digits; empty before the first event")
