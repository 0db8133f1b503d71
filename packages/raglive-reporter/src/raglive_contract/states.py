"""The states of files and pipelines, and the stages of processing."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

__all__ = [
    "FileState",
    "FinerStanding",
    "OfflineReason",
    "PipelineState",
    "ProcessingStanding",
    "Stage",
    "Standing",
]


class FileState(StrEnum):
    """The state of a file in the registry."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    DELETED = "deleted"


class Stage(StrEnum):
    """The stages of an attempt, in this order."""

    EXTRACTION = "extraction"
    CHUNKING = "chunking"
    EMBEDDING = "embedding"
    STORING = "storing"


PipelineState = Literal["online", "offline"]
OfflineReason = Literal["normal_shutdown", "error", "timeout"]
ProcessingStanding = Literal["processing", "stuck", "lost"]
"""A file in progress: it progresses, it has not for long, or its worker has no heartbeat."""
FinerStanding = Literal["waiting", "stuck", "lost"]
"""Subdivisions of a state: `waiting` of `queued`, the others of `processing`."""
Standing = (
    ProcessingStanding | Literal["queued", "waiting", "completed", "failed", "skipped", "deleted"]
)
"""The state as it is displayed: `waiting` is queued for a later retry."""
