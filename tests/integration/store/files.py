"""Files and endings of attempts for tests of the registry."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from raglive.store.index.documents import EmbeddedChunk, replace_document
from raglive.store.registry.files import FileChanges, KnownFile, ObservedFile, Registry
from raglive.store.registry.jobs import CompletedEnding, FailedEnding, Job, Jobs
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.states import Stage
from raglive_contract.wire import WireFileError, WireFileResults

__all__ = ["COMPLETED", "chunks", "complete", "enqueue", "failed", "known", "observed"]

DIMENSIONS = 256
RESULTS = WireFileResults(
    chunks_created=2, embeddings_generated=2, processing_duration=0.5, content_length=20
)
COMPLETED = CompletedEnding(RESULTS, stages=[])


def observed(name: str, version: int = 1) -> ObservedFile:
    """Return a file as a watcher would see it."""
    return ObservedFile(
        file_id=f"id of {name}",
        location=f"/watched/{name}",
        name=name,
        folder="",
        url=None,
        mime_type="text/plain",
        size_bytes=10,
        source={"version": version},
    )


async def enqueue(pipeline: PipelineRecord, *names: str) -> None:
    """Register new files, as the watcher does."""
    await Registry(pipeline).apply(FileChanges(new=[observed(name) for name in names]))


async def known(pipeline: PipelineRecord, name: str) -> KnownFile:
    """Return a file from the registry."""
    return next(file for file in await Registry(pipeline).known() if file.name == name)


def failed(*, next_attempt_at: str | None = None) -> FailedEnding:
    """Return the ending of an attempt that failed, for good unless there is a next one."""
    error: WireFileError = {
        "type": "Broken",
        "code": "broken",
        "message": "It is broken.",
        "stage": Stage.EXTRACTION,
        "retryable": next_attempt_at is not None,
    }
    if next_attempt_at is not None:
        error["next_attempt_at"] = next_attempt_at
    return FailedEnding(error, stages=[])


def chunks(text: str, count: int = 2) -> list[EmbeddedChunk]:
    """Return chunks that all hold the text, with vectors that depend on it alone."""
    seed = int.from_bytes(sha256(text.encode()).digest()[:8], "big")
    vector = np.random.default_rng(seed).standard_normal(DIMENSIONS).astype(np.float32)
    return [
        EmbeddedChunk(
            index=index,
            text=f"{text} {index}",
            start=0,
            end=len(text),
            page=None,
            content_hash=sha256(f"{text} {index}".encode()).digest(),
            embedding=vector,
        )
        for index in range(count)
    ]


async def complete(jobs: Jobs, job: Job, made: Sequence[EmbeddedChunk] = ()) -> None:
    """End an attempt with success."""
    async with jobs.ending(job, COMPLETED) as connection:
        await replace_document(connection, job.file_key, made or chunks(job.name))
