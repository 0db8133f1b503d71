"""`pipeline:status`: everything a viewer needs to know of a pipeline, at one cursor."""

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
from raglive_contract.states import PipelineState, ProcessingStanding, Stage

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
    """How many files stand in each state now."""

    queued: Count = 0
    processing: Count = 0
    completed: Count = 0
    failed: Count = 0
    skipped: Count = 0
    waiting: Count = Field(default=0, description="of those queued: waiting for a retry")


class Problem(WireModel):
    """What keeps a pipeline from doing its work, and needs somebody."""

    code: str
    message: str
    since: Timestamp


class Pause(WireModel):
    """Why a pipeline takes up no file for now; it goes on by itself when that has passed."""

    code: str
    message: str
    what_to_do: Maybe[str] = None
    since: Timestamp


class ProcessingEntry(ProcessingFile):
    """A file in progress."""

    processing_stage: Stage
    progress: float = Field(ge=0, le=1)
    attempt: int
    standing: Maybe[ProcessingStanding] = None
    moved_at: Maybe[Timestamp] = Field(default=None, description="when it last progressed")


class CompletedEntry(CompletedFile):
    """A file lately completed."""

    results: FileResults
    attempt: int


class FailedEntry(FailedFile):
    """A file lately failed."""

    error: FileError
    attempt: int


class PipelineStatus(WireModel):
    """The snapshot of a pipeline, exactly at `cursor`."""

    pipeline_id: PipelineId
    pipeline_type: PipelineType
    status: PipelineState
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
    total_processed: Count = Field(description="file:completed events so far")
    total_failed: Count = Field(description="files given up so far")
    counts: Counts
    cursor: str
    digest: str = Field(description="64 hexadecimal digits; empty before the first event")
