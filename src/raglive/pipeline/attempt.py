"""One attempt at a file: extraction, chunking, embedding, storing; and one ending."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from raglive.contract.errors import RagliveError
from raglive.contract.model import rfc3339
from raglive.contract.states import Stage
from raglive.database.documents import Document, Documents, EmbeddedChunk, Vector, replace_document
from raglive.database.errors import DATABASE_ERRORS, retry_transient
from raglive.database.jobs import Ending, Job, Jobs, LeaseLost
from raglive.pipeline.chunking import Chunk
from raglive.pipeline.embedding import Embedder
from raglive.pipeline.extraction.errors import Skipped
from raglive.pipeline.extraction.model import Extracted
from raglive.pipeline.extraction.pool import ExtractorPool
from raglive.pipeline.metrics import PipelineMetrics
from raglive.pipeline.progress import AttemptProgress
from raglive.pipeline.storing import Finished, Storing

__all__ = ["Attempts", "Fetch", "FileChanged", "FileVanished"]

log = structlog.get_logger()

Fetch = Callable[[Job], AbstractAsyncContextManager[Path]]

EMBEDDING_BATCH = 256  # chunks
STORING_PATIENCE_SECONDS = 120.0
GIVE_BACK_SECONDS = 1.0
FIRST_RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 900.0
LONGEST_MESSAGE = 2000  # characters


class FileChanged(RagliveError):
    """The file was written to while it was read; what was read is void."""

    code = "file_changed"
    retryable = True


class FileVanished(RagliveError):
    """The file is no longer where the watcher saw it."""

    code = "file_vanished"
    retryable = True


@dataclass(frozen=True, slots=True)
class Attempts:
    """What attempts are made with."""

    jobs: Jobs
    documents: Documents
    extractor: ExtractorPool
    embedder: Embedder
    storing: Storing
    fetch: Fetch
    max_tries: int
    metrics: PipelineMetrics

    async def run(self, progress: AttemptProgress) -> None:
        """Bring a file to an ending; every failure is one, none is raised but cancellation."""
        job = progress.job
        try:
            await self._bring_on(job, progress)
        except LeaseLost as lost:
            log.info("attempt_void", file=job.name, attempt=job.attempt, why=lost.message)
        except (FileChanged, FileVanished):
            await self._settle(lambda: self.jobs.give_back(job, GIVE_BACK_SECONDS))
        except Skipped as skipped:
            await self._skip(job, progress, skipped)
        except RagliveError as error:
            await self._fail(job, progress, error)
        except DATABASE_ERRORS as error:
            log.warning("attempt_without_database", file=job.name, error=type(error).__name__)
        except Exception as error:
            log.exception("attempt_crashed", file=job.name, attempt=job.attempt)
            unforeseen = RagliveError(
                f"An unforeseen error in {progress.stage}: {type(error).__name__}.",
                code="internal_error",
                retryable=True,
            )
            await self._fail(job, progress, unforeseen)

    async def _bring_on(self, job: Job, progress: AttemptProgress) -> None:
        if job.tries > self.max_tries:
            raise RagliveError(
                f"The worker was lost {job.tries - 1} times while it processed this file.",
                code="worker_lost",
            )
        async with self.fetch(job) as path:
            extracted, chunks = await self.extractor.extract_chunks(
                path,
                name=job.read_as,
                on_stage=lambda stage, share: progress.enter(Stage(stage), share),
            )
        embedded, new = await self._embed(chunks, progress)
        progress.enter(Stage.STORING)
        results = {
            "chunks_created": len(chunks),
            "embeddings_generated": new,
            "processing_duration": round(progress.seconds, 4),
            "content_length": len(extracted.text),
        }
        finished = Finished(progress, results, _document(job, extracted, embedded))
        await retry_transient(
            lambda: self.storing.store(finished),
            within_seconds=STORING_PATIENCE_SECONDS,
            what=f"storing {job.name}",
        )
        self.metrics.ended("completed", progress.durations)
        self.metrics.stored(len(chunks), new)
        log.info("file_completed", file=job.name, attempt=job.attempt, **results)

    async def _embed(
        self, chunks: Sequence[Chunk], progress: AttemptProgress
    ) -> tuple[list[EmbeddedChunk], int]:
        progress.enter(Stage.EMBEDDING)
        texts = {chunk.content_hash: chunk.text for chunk in chunks}
        vectors: dict[bytes, Vector] = await retry_transient(
            lambda: self.documents.known_embeddings(list(texts)),
            within_seconds=STORING_PATIENCE_SECONDS,
            what="looking up embeddings",
        )
        missing = [content_hash for content_hash in texts if content_hash not in vectors]
        for first in range(0, len(missing), EMBEDDING_BATCH):
            batch = missing[first : first + EMBEDDING_BATCH]
            made = await self.embedder.embed([texts[content_hash] for content_hash in batch])
            vectors.update(zip(batch, made, strict=True))
            progress.enter(Stage.EMBEDDING, (first + len(batch)) / len(missing))
        return [_embedded(chunk, vectors[chunk.content_hash]) for chunk in chunks], len(missing)

    async def _skip(self, job: Job, progress: AttemptProgress, skipped: Skipped) -> None:
        progress.close_stage()
        reason = {"code": skipped.code, "message": skipped.message[:LONGEST_MESSAGE]}
        fields = {"reason": reason, "stages": progress.stages()}
        await self._end_without_text(job, Ending("file:skipped", "skipped_at", fields))
        self.metrics.ended("skipped", progress.durations)
        log.info("file_skipped", file=job.name, attempt=job.attempt, code=skipped.code)

    async def _fail(self, job: Job, progress: AttemptProgress, error: RagliveError) -> None:
        progress.close_stage()
        body: dict[str, Any] = {
            "type": type(error).__name__,
            "code": str(error.code),
            "message": error.message[:LONGEST_MESSAGE],
            "stage": str(progress.stage),
            "retryable": error.retryable,
        }
        if error.retryable and job.tries < self.max_tries:
            pause = _pause(job.tries, error.retry_after_ms)
            body["next_attempt_at"] = rfc3339(datetime.now(UTC) + timedelta(seconds=pause))
        fields = {"error": body, "success": False, "stages": progress.stages()}
        await self._end_without_text(job, Ending("file:failed", "failed_at", fields))
        self.metrics.ended("failed", progress.durations)
        log.warning("file_failed", file=job.name, attempt=job.attempt, **body)

    async def _end_without_text(self, job: Job, ending: Ending) -> None:
        retried = "next_attempt_at" in ending.fields.get("error", {})

        async def end() -> None:
            async with self.jobs.ending(job, ending) as connection:
                if not retried:  # what the file held before is no longer what it holds
                    await replace_document(connection, job.file_key, [])

        await self._settle(end)

    async def _settle(self, operation: Callable[[], Any]) -> None:
        try:
            await retry_transient(
                operation, within_seconds=STORING_PATIENCE_SECONDS, what="ending an attempt"
            )
        except LeaseLost:
            log.info("attempt_void")
        except RagliveError as error:
            log.warning("attempt_not_ended", error=error.message)


def _document(job: Job, extracted: Extracted, chunks: Sequence[EmbeddedChunk]) -> Document:
    rows = [
        (table.name, index, dict(zip(table.columns, row, strict=False)))
        for table in extracted.tables
        for index, row in enumerate(table.rows)
    ]
    return Document(job.file_key, chunks, rows, extracted.title, extracted.mime_type)


def _embedded(chunk: Chunk, vector: Vector) -> EmbeddedChunk:
    return EmbeddedChunk(
        chunk.index,
        chunk.text,
        chunk.start,
        chunk.end,
        chunk.page,
        chunk.content_hash,
        vector,
    )


def _pause(tries: int, retry_after_ms: int | None) -> float:
    """Return the seconds to the next attempt: exponential with jitter, never before asked."""
    ceiling = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** (tries - 1))
    asked = (retry_after_ms or 0) / 1000
    return max(asked, random.uniform(ceiling / 2, ceiling))  # noqa: S311 - jitter, not a secret
