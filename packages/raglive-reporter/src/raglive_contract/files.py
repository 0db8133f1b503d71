"""What events say of a file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from raglive_contract.model import (
    Count,
    FileId,
    Maybe,
    Message,
    Name,
    Seconds,
    Timestamp,
    WireModel,
)
from raglive_contract.states import Stage

__all__ = [
    "CompletedFile",
    "DeletedFile",
    "FailedFile",
    "FileError",
    "FileRef",
    "FileResults",
    "ProcessingFile",
    "SkipReason",
    "SkippedFile",
    "StageDuration",
]

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class FileRef(WireModel):
    """Which file; the id outlives a rename."""

    id: FileId
    name: Name


class _DescribedFile(FileRef):
    size: Maybe[Count] = Field(default=None, description="bytes")
    mime_type: Maybe[Annotated[str, Field(max_length=255)]] = None
    folder: Maybe[Annotated[str, Field(max_length=4096)]] = Field(
        default=None, description="where the file lies below the watched location, '' for its root"
    )
    url: Maybe[Annotated[str, Field(max_length=8192)]] = None
    started_at: Maybe[Timestamp] = None


class ProcessingFile(_DescribedFile):
    """A file whose attempt has started."""

    started_at: Timestamp


class CompletedFile(_DescribedFile):
    """A file that is searchable."""

    completed_at: Timestamp


class FailedFile(_DescribedFile):
    """A file whose attempt failed."""

    failed_at: Timestamp


class SkippedFile(_DescribedFile):
    """A file that holds nothing that could be indexed."""

    skipped_at: Timestamp


class DeletedFile(FileRef):
    """A file that is gone from its source, and from the index."""

    deleted_at: Timestamp


class FileResults(WireModel):
    """What a completed attempt made."""

    chunks_created: Count
    embeddings_generated: Count = Field(description="chunks that were not already embedded")
    processing_duration: Seconds
    content_length: Count = Field(description="characters of text")


class FileError(WireModel):
    """Why an attempt failed, and whether there will be another."""

    type: Annotated[str, Field(max_length=128)]
    code: Code
    message: Message
    stage: Maybe[Stage] = None
    retryable: bool
    next_attempt_at: Maybe[Timestamp] = None


class StageDuration(WireModel):
    """How long a stage of an attempt took."""

    stage: Stage
    duration: Seconds


class SkipReason(WireModel):
    """Why a file was skipped."""

    code: Code
    message: Message
