"""An example of every event, as it is published and as it is received."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from raglive_contract.cursor import Position
from raglive_contract.digest import EMPTY, roll
from raglive_contract.events import (
    CONFLATED_TYPES,
    Event,
    Submission,
    event_adapter,
    submission_adapter,
)
from raglive_contract.model import rfc3339
from raglive_contract.snapshot import PipelineStatus

__all__ = [
    "EVENTS",
    "SUBMITTED",
    "at",
    "described",
    "failure",
    "failures",
    "results",
    "status",
    "throughput",
]

EPOCH = "019a5c3e7f01b2c4"
START = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
PIPELINE: dict[str, Any] = {"pipeline_id": "local-files-pipeline", "pipeline_type": "local_files"}
STAGES = [
    {"stage": "extraction", "duration": 0.25},
    {"stage": "chunking", "duration": 0.0},
    {"stage": "embedding", "duration": 1.5},
    {"stage": "storing", "duration": 0.125},
]


def at(seconds: int) -> str:
    """Return a time of the examples."""
    return rfc3339(START + timedelta(seconds=seconds))


def described() -> dict[str, Any]:
    """Return the file of the examples; its name has characters outside ASCII."""
    return {
        "id": "f-1",
        "name": "Wärmepumpe, Handbuch “3” 🔥.pdf",
        "size": 482113,
        "mime_type": "application/pdf",
        "folder": "Produkte/Süd",
        "url": "file:///data/Produkte/S%C3%BCd/Handbuch.pdf",
    }


def results() -> dict[str, Any]:
    """Return the results of a completed attempt."""
    return {
        "chunks_created": 18,
        "embeddings_generated": 16,
        "processing_duration": 1.875,
        "content_length": 31480,
    }


def failure() -> dict[str, Any]:
    """Return a retryable error."""
    return {
        "type": "EmbeddingUnavailable",
        "code": "embedding_unavailable",
        "message": "The embedding provider answered 503.",
        "stage": "embedding",
        "retryable": True,
        "next_attempt_at": at(30),
    }


def status() -> PipelineStatus:
    """Return the status of the pipeline, with every field, after all events but its own."""
    running = {**described(), "id": "f-2", "started_at": at(5)}
    return PipelineStatus.model_validate(
        {
            **PIPELINE,
            "status": "online",
            "started_at": at(0),
            "watch_location": "/data",
            "problem": {"code": "disk_full", "message": "The disk is full.", "since": at(6)},
            "last_heartbeat": at(8),
            "last_check_time": at(8),
            "next_check_time": at(68),
            "check_interval": 60,
            "seconds_until_next_check": 58.5,
            "is_checking": True,
            "last_activity": at(7),
            "files_processing": [
                running | {"processing_stage": "embedding", "progress": 0.5, "attempt": 1}
            ],
            "files_completed": [
                {**described(), "completed_at": at(6), "results": results(), "attempt": 2}
            ],
            "files_failed": [
                {**described(), "id": "f-3", "failed_at": at(3), "error": _final(), "attempt": 5}
            ],
            "total_processed": 1,
            "total_failed": 1,
            "paused": {
                "code": "embedding_budget_spent",
                "message": "The embedding budget is spent.",
                "what_to_do": "Raise RAGLIVE_EMBEDDING_BUDGET.",
                "since": at(6),
            },
            "counts": {
                "queued": 4,
                "processing": 1,
                "completed": 1,
                "failed": 1,
                "skipped": 2,
                "waiting": 1,
            },
            "cursor": str(Position(EPOCH, 42)),
            "digest": roll(EMPTY, UUID(int=42), 42).hex(),
        }
    )


def _final() -> dict[str, Any]:
    error = failure() | {"code": "file_damaged", "retryable": False}
    return {key: value for key, value in error.items() if key != "next_attempt_at"}


def _published() -> list[dict[str, Any]]:
    """Return the fields of every event that a producer sends."""
    file, started = described(), {"started_at": at(1)}
    named: dict[str, Any] = {"id": file["id"], "name": file["name"]}
    skipped = named | {"size": 0, "skipped_at": at(3)}
    attempt: dict[str, Any] = {"attempt": 1, "stages": STAGES}
    return [
        {
            "type": "pipeline:online",
            "started_at": at(0),
            "check_interval": 60,
            "watch_location": "/data",
        },
        {"type": "pipeline:offline", "shutdown_at": at(9), "reason": "normal_shutdown"},
        {
            "type": "file:processing",
            "file": file | started,
            "processing_stage": "extraction",
            "estimated_duration": 2.5,
            "attempt": 1,
        },
        {
            "type": "file:progress",
            "file": named,
            "processing_stage": "embedding",
            "progress": 0.25,
            "attempt": 1,
        },
        {
            "type": "file:completed",
            "file": file | started | {"completed_at": at(3)},
            "results": results(),
            **attempt,
        },
        {
            "type": "file:failed",
            "file": file | started | {"failed_at": at(3)},
            "error": failure(),
            **attempt,
        },
        {
            "type": "file:skipped",
            "file": skipped,
            "reason": {"code": "empty", "message": "The file is empty."},
            **attempt,
        },
        {"type": "file:deleted", "file": named | {"deleted_at": at(4)}, "reason": "removed"},
        {
            "type": "status:update",
            "changes": {"files_queued": {"count": 1, "files": [named]}, "problem": None},
        },
        {
            "type": "heartbeat",
            "uptime": 12.5,
            "memory_usage": 104857600,
            "active_files": 1,
        },
    ]


def failures() -> list[dict[str, Any]]:
    """Return the groups of files that are not searchable."""
    group = {
        "state": "failed",
        "code": "embedding_unavailable",
        "stage": "embedding",
        "count": 3,
        "message": "The embedding provider answered 503.",
        "retryable": True,
        "is_common": True,
        "next_attempt_at": None,
        "what_to_do": "Nothing: the files are tried again.",
    }
    return [group]


def throughput() -> dict[str, Any]:
    """Return what was finished in three minutes, and what that says of the rest."""
    start = START.replace(minute=0, second=0, microsecond=0)
    usage = {"texts": 18, "tokens": 4200, "cost": 0.25}
    return {
        "bucket_seconds": 60,
        "buckets": [
            {"start": rfc3339(start + timedelta(minutes=n)), "completed": 7 * n, "failed": n % 2}
            for n in range(3)
        ],
        "estimate": {
            "seconds_left": 42.5,
            "unknown_because": None,
            "files_left": 30,
            "stages": [{"stage": "extraction", "seconds_per_mebibyte": 0.75}],
        },
        "usage": usage,
        "total_usage": usage,
        "budget": {"amount": 5.0, "period": "month", "spent": 0.25},
    }


def _summarized() -> dict[str, Any]:
    """Return the fields of the summary, which the server makes itself."""
    return {
        "type": "pipeline:summary",
        "head_seq": 42,
        "digest": status().digest,
        "counts": status().counts.wire(),
        "failures": failures(),
        "throughput": throughput(),
        "standings": [{"id": "f-2", "standing": "stuck", "moved_at": at(5)}],
    }


def _received(number: int, fields: dict[str, Any]) -> Event:
    whole = {**fields, **PIPELINE, "id": str(_id(number)), "timestamp": at(number)}
    if fields["type"] not in CONFLATED_TYPES:
        whole |= {"seq": 32 + number, "cursor": str(Position(EPOCH, 32 + number))}
    if fields["type"] == "status:update":
        whole |= {"current_status": status().wire()}
    if fields["type"] == "heartbeat":
        checks = {"last_check_time": at(8), "next_check_time": at(68), "is_checking": True}
        whole |= {"head_seq": 42, "digest": status().digest, **checks}
    return event_adapter.validate_python(whole)


def _submitted(number: int, fields: dict[str, Any]) -> Submission:
    event = {"id": str(_id(number)), **PIPELINE, "timestamp": at(number), **fields}
    return submission_adapter.validate_python({"events": [event]})


def _id(number: int) -> UUID:
    moment = int(START.timestamp() * 1000) + 1000 * number
    return UUID(int=moment << 80 | 0x7 << 76 | 0xABC << 64 | 0b10 << 62 | number)


EVENTS = [
    _received(number, fields) for number, fields in enumerate([*_published(), _summarized()], 1)
]
SUBMITTED = [_submitted(number, fields) for number, fields in enumerate(_published(), 1)]
