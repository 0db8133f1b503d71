"""One attempt at a file: extraction, chunking, embedding, storing; and one ending."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import structlog

from raglive.embedding import EmbeddingRefused
from raglive.embedding.circuit_breaker import CircuitOpen
from raglive.embedding.reuse import EmbedOnce
from raglive.extraction.chunking import Chunk
from raglive.extraction.errors import Skipped
from raglive.extraction.pool import ExtractorPool
from raglive.ingest.drafts import Draft, packed, unpacked
from raglive.ingest.metrics import PipelineMetrics
from raglive.ingest.progress import AttemptProgress
from raglive.ingest.storing import Finished, Storing
from raglive.sources.source import FileChanged, FileVanished
from raglive.store.errors import DATABASE_ERRORS, TRANSIENT, retry_transient
from raglive.store.index.documents import (
    Document,
    EmbeddedChunk,
    replace_document,
)
from raglive.store.index.drafts import Drafts, delete_drafts
from raglive.store.index.vector_cache import Vector, cache_indexed
from raglive.store.index.vector_space import EmbeddingModelChanged
from raglive.store.registry.jobs import Ending, Job, Jobs, LeaseLost
from raglive_contract.errors import RagliveError
from raglive_contract.file_errors import OUTAGES
from raglive_contract.model import rfc3339
from raglive_contract.states import Stage

__all__ = ["Attempts", "Fetch"]

log = structlog.get_logger()

Result = TypeVar("Result")

Fetch = Callable[[Job], AbstractAsyncContextManager[Path]]

WORTH_KEEPING_SECONDS = 2.0  # of extraction; what took less is soon done again
WORTH_KEEPING_CHUNKS = 256  # of which some may be embedded when the rest fails
STORING_PATIENCE_SECONDS = 120.0
GIVE_BACK_SECONDS = 1.0
FIRST_RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 900.0
LONGEST_MESSAGE = 2000  # characters


@dataclass(frozen=True, slots=True)
class Attempts:
    """What attempts are made with."""

    jobs: Jobs
    drafts: Drafts
    extractor: ExtractorPool
    embedding: EmbedOnce
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
        except (CircuitOpen, EmbeddingRefused, EmbeddingModelChanged) as held:
            await self._give_back(job, progress, held)
        except Skipped as skipped:
            await self._skip(job, progress, skipped)
        except RagliveError as error:
            await self._fail(job, progress, error)
        except DATABASE_ERRORS as error:
            log.warning("attempt_without_database", file=job.name, error=repr(error))
            await self._fail(job, progress, _without_database(error))
        except Exception as error:
            log.exception("attempt_crashed", file=job.name, attempt=job.attempt)
            unforeseen = RagliveError(
                f"An unforeseen error in {progress.stage}: {type(error).__name__}.",
                code="internal_error",
                retryable=True,
            )
            await self._fail(job, progress, unforeseen)

    async def _bring_on(self, job: Job, progress: AttemptProgress) -> None:
        if job.losses >= self.max_tries:
            raise RagliveError(
                f"The worker was lost {job.losses} times while it processed this file.",
                code="worker_lost",
            )
        draft = await self._read(job, progress)
        embedded, new = await self._embed(job, draft, progress)
        progress.enter(Stage.STORING)
        results = {
            "chunks_created": len(draft.chunks),
            "embeddings_generated": new,
            "processing_duration": round(progress.seconds, 4),
            "content_length": draft.content_length,
        }
        document = Document(job.file_key, embedded, draft.rows, draft.title, draft.mime_type)
        finished = Finished(progress, results, document)
        await retry_transient(
            lambda: self.storing.store(finished),
            within_seconds=STORING_PATIENCE_SECONDS,
            what=f"storing {job.name}",
        )
        self.metrics.ended("completed", progress.durations)
        self.metrics.stored(len(draft.chunks), new)
        log.info("file_completed", file=job.name, attempt=job.attempt, **results)

    async def _read(self, job: Job, progress: AttemptProgress) -> Draft:
        """Return the file's text in chunks: as an attempt before this one left it, or anew."""
        if job.attempt > 1 and (
            content := await self._patiently(lambda: self.drafts.load(job.file_key, job.generation))
        ):
            progress.resume(Stage.EMBEDDING)
            return await unpacked(content)
        async with self.fetch(job) as path:
            extracted, chunks = await self.extractor.extract_chunks(
                path,
                name=job.read_as,
                on_stage=lambda stage, share: progress.enter(Stage(stage), share),
            )
        return Draft.of(extracted, chunks)

    async def _embed(
        self, job: Job, draft: Draft, progress: AttemptProgress
    ) -> tuple[list[EmbeddedChunk], int]:
        slow = progress.seconds > WORTH_KEEPING_SECONDS
        keep_now = slow or (
            self.embedding.embedder.is_paid and len(draft.chunks) > WORTH_KEEPING_CHUNKS
        )
        progress.enter(Stage.EMBEDDING)
        if keep_now:
            await self._keep_draft(job, draft)
        texts = {chunk.content_hash: chunk.text for chunk in draft.chunks}
        try:
            vectors, new = await self.embedding.vectors(
                texts,
                dict.fromkeys(texts, job.file_key),
                lambda share: progress.enter(Stage.EMBEDDING, share),
            )
        except Exception:
            if not keep_now:
                await self._keep_draft(job, draft)
            raise
        return [_embedded(chunk, vectors[chunk.content_hash]) for chunk in draft.chunks], new

    async def _load_draft(self, job: Job) -> bytes | None:
        return await self._patiently(lambda: self.drafts.load(job.file_key, job.generation))

    async def _keep_draft(self, job: Job, draft: Draft) -> None:
        if draft.is_kept:
            return
        content = await packed(draft)
        await self._patiently(lambda: self.drafts.save(job.file_key, job.generation, content))

    async def _patiently(self, operation: Callable[[], Awaitable[Result]]) -> Result:
        return await retry_transient(
            operation, within_seconds=STORING_PATIENCE_SECONDS, what="keeping what was extracted"
        )

    async def _give_back(self, job: Job, progress: AttemptProgress, why: RagliveError) -> None:
        error = _error_body(why, progress)
        await self._settle(lambda: self.jobs.give_back(job, GIVE_BACK_SECONDS, error))

    async def _skip(self, job: Job, progress: AttemptProgress, skipped: Skipped) -> None:
        progress.close_stage()
        reason = {"code": skipped.code, "message": skipped.message[:LONGEST_MESSAGE]}
        fields = {"reason": reason, "stages": progress.stages()}
        await self._end_without_text(job, Ending("file:skipped", "skipped_at", fields))
        self.metrics.ended("skipped", progress.durations)
        log.info("file_skipped", file=job.name, attempt=job.attempt, code=skipped.code)

    async def _fail(self, job: Job, progress: AttemptProgress, error: RagliveError) -> None:
        progress.close_stage()
        body = _error_body(error, progress)
        if error.retryable and (error.code in OUTAGES or job.failures + 1 < self.max_tries):
            pause = _pause(job.tries, error.retry_after_ms)
            body["next_attempt_at"] = rfc3339(datetime.now(UTC) + timedelta(seconds=pause))
        fields = {"error": body, "success": False, "stages": progress.stages()}
        await self._end_without_text(job, Ending("file:failed", "failed_at", fields))
        self.metrics.ended("failed", progress.durations)
        log.warning("file_failed", file=job.name, attempt=job.attempt, **body)

    async def _end_without_text(self, job: Job, ending: Ending) -> None:
        error = ending.fields.get("error", {})

        async def end() -> None:
            async with self.jobs.ending(job, ending) as connection:
                if "next_attempt_at" in error:
                    return
                # what the file held before is no longer what it holds
                if error:
                    await cache_indexed(connection, job.file_key)
                else:
                    await delete_drafts(connection, [job.file_key])
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
        except DATABASE_ERRORS as error:  # its lease runs out, and it is tried again
            log.warning("attempt_not_ended", error=type(error).__name__)


def _error_body(error: RagliveError, progress: AttemptProgress) -> dict[str, Any]:
    return {
        "type": type(error).__name__,
        "code": str(error.code),
        "message": error.message[:LONGEST_MESSAGE],
        "stage": str(progress.stage),
        "retryable": error.retryable,
    }


def _without_database(error: BaseException) -> RagliveError:
    if isinstance(error, TRANSIENT):
        message = f"The database was away ({type(error).__name__})."
        return RagliveError(message, code="database_unavailable", retryable=True)
    message = f"The database refuses what was made of the file ({type(error).__name__})."
    return RagliveError(message, code="database_refused", retryable=True)


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
    ceiling = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(tries - 1, 30))
    asked = (retry_after_ms or 0) / 1000
    return max(asked, random.uniform(ceiling / 2, ceiling))  # noqa: S311 - jitter, not a secret
