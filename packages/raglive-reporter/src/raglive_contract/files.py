"""Files in events: their metadata, results and errors."""

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
    """A reference to a file. The id stays the same when the file is renamed or moved."""

    id: FileId
    name: Name


class _DescribedFile(FileRef):
    size: Maybe[Count] = Field(default=None, description="bytes")
    mime_type: Maybe[Annotated[str, Field(max_length=255)]] = None
    folder: Maybe[Annotated[str, Field(max_length=4096)]] = Field(
        default=None,
        description="folder of the file below the watched location; '' for the location itself",
    )
    url: Maybe[Annotated[str, Field(max_length=8192)]] = None
    started_at: Maybe[Timestamp] = None


class ProcessingFile(_DescribedFile):
    """A file that is being processed."""

    started_at: Timestamp


class CompletedFile(_DescribedFile):
    """A file that was indexed and is searchable."""

    completed_at: Timestamp


class FailedFile(_DescribedFile):
    """A file with a failed attempt."""

    failed_at: Timestamp


class SkippedFile(_DescribedFile):
    """A file without content that can be indexed."""

    skipped_at: Timestamp


class DeletedFile(FileRef):
    """A file that was removed from its source and from the index."""

    deleted_at: Timestamp


class FileResults(WireModel):
    """The results of a completed attempt."""

    chunks_created: Count
    embeddings_generated: Count = Field(description="chunks whose vectors were not stored yet")
    processing_duration: Seconds = Field(
        description="seconds of processing until storing began; "
        "the whole attempt took `completed_at` minus `started_at`"
    )
    content_length: Count = Field(description="characters of text")


class FileError(WireModel):
    """The reason why an attempt failed, and whether it is retried."""

    type: Annotated[str, Field(max_length=128)]
    code: Code
    message: Message
    stage: Maybe[Stage] = None
    retryable: bool
    next_attempt_at: Maybe[Timestamp] = None


class StageDuration(WireModel):
    """The duration of one stage. Waiting before the first stage counts for none."""

    stage: Stage
    duration: Seconds = Field(description="seconds in this stage")


class SkipReason(WireModel):
    """The reason why a file was skipped."""

    code: Code
    message: Message
