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
    """What was asked of embedding providers; what the built-in model does is not counted."""

    texts: Count
    tokens: Count
    cost: float = Field(ge=0, description="in the currency of the price that was set")


class EmbeddingBudget(WireModel):
    """What a pipeline may spend on embeddings, in the currency of the price that was set."""

    amount: float = Field(gt=0)
    period: Literal["day", "month", "total"]
    spent: float = Field(ge=0, description="in the period that runs (UTC)")


class FailureGroup(WireModel):
    """Files that failed, wait for a retry, or were skipped, for the same reason."""

    state: Literal["failed", "waiting", "skipped"]
    code: str
    stage: Stage | None
    count: Count
    message: str = Field(description="of the latest of them")
    retryable: bool
    next_attempt_at: Timestamp | None = Field(description="of the first of those that wait")
    what_to_do: str


class ThroughputBucket(WireModel):
    """What was finished in one span of time."""

    start: Timestamp
    completed: Count
    failed: Count


class StageRate(WireModel):
    """How long a stage lately took for a mebibyte of the files."""

    stage: Stage
    seconds_per_mebibyte: Seconds


class Estimate(WireModel):
    """How long what is queued and in progress will take, judged by what was lately completed."""

    seconds_left: Seconds | None = Field(description="null when it cannot be known")
    unknown_because: Literal["nothing_to_do", "paused", "offline", "too_few_completed"] | None
    files_left: Count = Field(description="without those that wait for a retry")
    stages: list[StageRate]


class Throughput(WireModel):
    """What was finished in the last half hour, and what that says of the rest."""

    bucket_seconds: Seconds
    buckets: list[ThroughputBucket]
    estimate: Estimate
    usage: EmbeddingUsage = Field(description="of this month (UTC)")
    total_usage: EmbeddingUsage = Field(description="since the pipeline began")
    budget: EmbeddingBudget | None = Field(description="null when none is set")


class FileStanding(WireModel):
    """A file in progress that does not progress."""

    id: FileId
    standing: Literal["stuck", "lost"]
    moved_at: Timestamp | None = Field(description="when its attempt last progressed")
