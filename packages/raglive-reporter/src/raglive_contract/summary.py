"""The parts of `pipeline:summary`: failures, throughput, and files that do not progress."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from raglive_contract.model import Count, FileId, Seconds, Timestamp, WireModel
from raglive_contract.states import Stage

__all__ = [
    "EmbeddingBudget",
    "EmbeddingUsage",
    "Estimate",
    "FailureGroup",
    "FileStanding",
    "StageRate",
    "Throughput",
    "ThroughputBucket",
]


class EmbeddingUsage(WireModel):
    """Usage of embedding providers. The built-in model is not counted."""

    texts: Count
    tokens: Count
    cost: float = Field(ge=0, description="in the currency of the configured price")


class EmbeddingBudget(WireModel):
    """A pipeline's budget for embeddings, in the currency of the configured price."""

    amount: float = Field(gt=0)
    period: Literal["day", "month", "total"]
    spent: float = Field(ge=0, description="spent in the current period (UTC)")


class FailureGroup(WireModel):
    """Files that failed, wait for a retry, or were skipped, for the same reason."""

    state: Literal["failed", "waiting", "skipped"]
    code: str
    stage: Stage | None
    count: Count
    message: str = Field(description="message of the latest file")
    is_common: bool = Field(description="every file of the group has this message")
    retryable: bool
    next_attempt_at: Timestamp | None = Field(
        description="earliest time among files that wait for a retry"
    )
    what_to_do: str


class ThroughputBucket(WireModel):
    """The number of files that were finished in one interval."""

    start: Timestamp
    completed: Count
    failed: Count


class StageRate(WireModel):
    """The recent duration of a stage per mebibyte of file size."""

    stage: Stage
    seconds_per_mebibyte: Seconds


class Estimate(WireModel):
    """The estimated time for all queued and running files, from recently completed files."""

    seconds_left: Seconds | None = Field(description="null if there is no estimate")
    unknown_because: Literal["nothing_to_do", "paused", "offline", "too_few_completed"] | None
    files_left: Count = Field(
        description="queued and running files, without those that wait for a retry"
    )
    stages: list[StageRate]


class Throughput(WireModel):
    """The files finished in the last half hour, and an estimate for the remaining ones."""

    bucket_seconds: Seconds
    buckets: list[ThroughputBucket]
    estimate: Estimate
    usage: EmbeddingUsage = Field(description="usage in this month (UTC)")
    total_usage: EmbeddingUsage = Field(description="usage since the pipeline was created")
    budget: EmbeddingBudget | None = Field(description="null without a budget")


class FileStanding(WireModel):
    """A file in progress that makes no progress."""

    id: FileId
    standing: Literal["stuck", "lost"]
    moved_at: Timestamp | None = Field(description="when its attempt last progressed")
