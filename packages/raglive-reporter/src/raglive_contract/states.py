"""The words for where a file and a pipeline stand."""

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
    """Where a file stands."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    DELETED = "deleted"


class Stage(StrEnum):
    """What is being done to a file, in this order."""

    EXTRACTION = "extraction"
    CHUNKING = "chunking"
    EMBEDDING = "embedding"
    STORING = "storing"


PipelineState = Literal["online", "offline"]
OfflineReason = Literal["normal_shutdown", "error", "timeout"]
ProcessingStanding = Literal["processing", "stuck", "lost"]
"""A file in progress: it moves, it has not moved for long, or its worker is not heard of."""
FinerStanding = Literal["waiting", "stuck", "lost"]
"""What a state leaves out: `waiting` is among those queued, the others among those in progress."""
Standing = (
    ProcessingStanding | Literal["queued", "waiting", "completed", "failed", "skipped", "deleted"]
)
"""The state as people are told it: `waiting` is queued for a later retry."""
