"""One attempt at a file: extraction, chunking, embedding, storing, and exactly one outcome."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeVar

import structlog

from raglive.embedding import EmbeddingRefused
from raglive.embedding.cached_embedder import CachedEmbedder
from raglive.embedding.circuit_breaker import CircuitOpen
from raglive.extraction.chunking import Chunk
from raglive.extraction.document_channel import ReadableFile
from raglive.extraction.errors import Skipped
from raglive.extraction.pool import ExtractorPool
from raglive.ingest.checkpoint import ChunkedDocument, deserialize, serialize
from raglive.ingest.group_commit import CompletedAttempt, GroupCommit
from raglive.ingest.metrics import PipelineMetrics
from raglive.ingest.progress import AttemptProgress
from raglive.ingest.retry_policy import (
    MAX_MESSAGE_CHARS,
    error_body,
    from_database_error,
    next_attempt_at,
)
from raglive.sources.source import FileChanged, FileVanished
from raglive.store.errors import DATABASE_ERRORS, retry_transient
from raglive.store.index.documents import (
    Document,
    EmbeddedChunk,
    replace_document,
)
from raglive.store.index.drafts import Drafts, delete_drafts
from raglive.store.index.vector_cache import Vector, cache_indexed
from raglive.store.index.vector_space import EmbeddingModelChanged
from raglive.store.registry.jobs import FailedEnding, Job, Jobs, LeaseLost, SkippedEnding
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.states import Stage
from raglive_contract.wire import WireFileResults, WireSkipReason

__all__ = ["AttemptRunner", "Fetch"]

log = structlog.get_logger()

Result = TypeVar("Result")

Fetch = Callable[[Job], AbstractAsyncContextManager[ReadableFile]]

# A checkpoint is saved before embedding when extraction took this long, or when this many chunks
# have to be paid for. Otherwise it is only saved when embedding fails.
CHECKPOINT_AFTER_SECONDS = 2.0
CHECKPOINT_AFTER_CHUNKS = 256
DATABASE_TIMEOUT_SECONDS = 120.0
REQUEUE_DELAY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class AttemptRunner:
    """Runs attempts for one worker."""

    jobs: Jobs
    drafts: Drafts
    extractor: ExtractorPool
    embedding: CachedEmbedder
    group_commit: GroupCommit
    fetch: Fetch
    max_tries: int
    metrics: PipelineMetrics

    async def run(self, progress: AttemptProgress) -> None:
        """Run an attempt to its outcome. Every failure becomes one; only cancellation is raised."""
        job = progress.job
        try:
            await self._process(job, progress)
        except LeaseLost as lost:
            log.info("attempt_superseded", file=job.name, attempt=job.attempt, why=lost.message)
        except (FileChanged, FileVanished):
            await self._record_outcome(lambda: self.jobs.requeue(job, REQUEUE_DELAY_SECONDS))
        except (CircuitOpen, EmbeddingRefused, EmbeddingModelChanged) as error:
            await self._requeue(job, progress, error)
        except Skipped as skipped:
            await self._skip(job, progress, skipped)
        except RagliveError as error:
            await self._fail(job, progress, error)
        except DATABASE_ERRORS as error:
            log.warning("attempt_database_error", file=job.name, error=repr(error))
            await self._fail(job, progress, from_database_error(error))
        except Exception as error:
            log.exception("attempt_crashed", file=job.name, attempt=job.attempt)
            unexpected = RagliveError(
                f"An unexpected error in {progress.stage}: {type(error).__name__}.",
                code=ErrorCode.INTERNAL_ERROR,
                retryable=True,
            )
            await self._fail(job, progress, unexpected)

    async def _process(self, job: Job, progress: AttemptProgress) -> None:
        if job.losses >= self.max_tries:
            raise RagliveError(
                f"The worker was lost {job.losses} times while it processed this file.",
                code=ErrorCode.WORKER_LOST,
            )
        chunked = await self._extract(job, progress)
        embedded, new = await self._embed(job, chunked, progress)
        progress.enter(Stage.STORING)
        results = WireFileResults(
            chunks_created=len(chunked.chunks),
            embeddings_generated=new,
            processing_duration=round(progress.seconds, 4),
            content_length=chunked.content_length,
        )
        document = Document(job.file_key, embedded, chunked.rows, chunked.title, chunked.mime_type)
        completed = CompletedAttempt(progress, results, document)
        await retry_transient(
            lambda: self.group_commit.store(completed),
            within_seconds=DATABASE_TIMEOUT_SECONDS,
            what=f"storing {job.name}",
        )
        self.metrics.ended("completed", progress.durations)
        self.metrics.stored(len(chunked.chunks), new)
        log.info("file_completed", file=job.name, attempt=job.attempt, **results)

    async def _extract(self, job: Job, progress: AttemptProgress) -> ChunkedDocument:
        """Return the file's text in chunks: from a checkpoint if there is one, else extracted."""
        if job.attempt > 1 and (content := await self._load_checkpoint(job)):
            progress.resume(Stage.EMBEDDING)
            return await deserialize(content)
        async with self.fetch(job) as document:
            extracted, chunks = await self.extractor.extract_chunks(
                document,
                name=job.read_as,
                on_stage=lambda stage, share: progress.enter(Stage(stage), share),
            )
        return ChunkedDocument.of(extracted, chunks)

    async def _load_checkpoint(self, job: Job) -> bytes | None:
        return await self._retried(lambda: self.drafts.load(job.file_key, job.generation))

    async def _embed(
        self, job: Job, chunked: ChunkedDocument, progress: AttemptProgress
    ) -> tuple[list[EmbeddedChunk], int]:
        is_costly = progress.seconds > CHECKPOINT_AFTER_SECONDS or (
            self.embedding.embedder.is_paid and len(chunked.chunks) > CHECKPOINT_AFTER_CHUNKS
        )
        progress.enter(Stage.EMBEDDING)
        if is_costly:
            await self._save_checkpoint(job, chunked)
        texts = {chunk.content_hash: chunk.text for chunk in chunked.chunks}
        try:
            vectors, new = await self.embedding.vectors(
                texts,
                dict.fromkeys(texts, job.file_key),
                lambda share: progress.enter(Stage.EMBEDDING, share),
            )
        except Exception:
            if not is_costly:
                await self._save_checkpoint(job, chunked)
            raise
        return [_embedded(chunk, vectors[chunk.content_hash]) for chunk in chunked.chunks], new

    async def _save_checkpoint(self, job: Job, chunked: ChunkedDocument) -> None:
        if chunked.is_saved:
            return
        content = await serialize(chunked)
        await self._retried(lambda: self.drafts.save(job.file_key, job.generation, content))

    async def _retried(self, operation: Callable[[], Awaitable[Result]]) -> Result:
        return await retry_transient(
            operation, within_seconds=DATABASE_TIMEOUT_SECONDS, what="accessing the checkpoint"
        )

    async def _requeue(self, job: Job, progress: AttemptProgress, why: RagliveError) -> None:
        error = error_body(why, progress)
        await self._record_outcome(lambda: self.jobs.requeue(job, REQUEUE_DELAY_SECONDS, error))
        self.metrics.ended("requeued", progress.durations, why.code)

    async def _skip(self, job: Job, progress: AttemptProgress, skipped: Skipped) -> None:
        progress.close_stage()
        reason = WireSkipReason(code=skipped.code, message=skipped.message[:MAX_MESSAGE_CHARS])
        await self._end_without_text(job, SkippedEnding(reason, progress.stages()))
        self.metrics.ended("skipped", progress.durations, skipped.code)
        log.info("file_skipped", file=job.name, attempt=job.attempt, code=skipped.code)

    async def _fail(self, job: Job, progress: AttemptProgress, error: RagliveError) -> None:
        progress.close_stage()
        body = error_body(error, progress)
        if retried_at := next_attempt_at(error, job, self.max_tries):
            body["next_attempt_at"] = retried_at
        await self._end_without_text(job, FailedEnding(body, progress.stages()))
        self.metrics.ended("failed", progress.durations, error.code)
        log.warning("file_failed", file=job.name, attempt=job.attempt, **body)

    async def _end_without_text(self, job: Job, ending: FailedEnding | SkippedEnding) -> None:
        error = ending.error if isinstance(ending, FailedEnding) else None

        async def end() -> None:
            async with self.jobs.ending(job, ending) as connection:
                if error is not None and "next_attempt_at" in error:
                    return
                # the chunks of the file's earlier content are out of date
                if error is not None:
                    await cache_indexed(connection, job.file_key)
                else:
                    await delete_drafts(connection, [job.file_key])
                await replace_document(connection, job.file_key, [])

        await self._record_outcome(end)

    async def _record_outcome(self, operation: Callable[[], Awaitable[None]]) -> None:
        try:
            await retry_transient(
                operation, within_seconds=DATABASE_TIMEOUT_SECONDS, what="ending an attempt"
            )
        except LeaseLost:
            log.info("attempt_superseded")
        except RagliveError as error:
            log.warning("attempt_outcome_not_stored", error=error.message)
        except DATABASE_ERRORS as error:  # the lease expires, and the file is retried
            log.warning("attempt_outcome_not_stored", error=type(error).__name__)


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
