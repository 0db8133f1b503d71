"""Group commit: completed documents are stored in the index with one transaction for several.

The commits of a pipeline are serialized, because each appends to the pipeline's log. The cost of a
commit would therefore limit the number of files per second. While one commit runs, the documents
that complete wait and form the next one; a document never waits for others to complete.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from raglive.ingest.progress import AttemptProgress
from raglive.store.errors import TRANSIENT
from raglive.store.index.documents import Document, replace_documents
from raglive.store.index.vector_space import ChosenSpace
from raglive.store.registry.jobs import Ending, Job, Jobs, LeaseLost

__all__ = ["CompletedAttempt", "GroupCommit"]

MAX_DOCUMENTS_PER_COMMIT = 64
MAX_CHUNKS_PER_COMMIT = 4000

_Waiting = tuple["CompletedAttempt", asyncio.Future[None]]


@dataclass(frozen=True, slots=True)
class CompletedAttempt:
    """An attempt whose document is ready to be stored."""

    progress: AttemptProgress
    results: dict[str, Any]
    document: Document

    @property
    def job(self) -> Job:
        """The job of the attempt."""
        return self.progress.job

    def ending(self) -> Ending:
        """Return the attempt's ending. The duration of storing is added before the commit."""
        fields = {"results": self.results, "success": True, "stages": self.progress.stages()}
        return Ending("file:completed", "completed_at", fields)


class GroupCommit:
    """Stores the documents of one pipeline. Use it with `async with`."""

    def __init__(self, jobs: Jobs, space: ChosenSpace) -> None:
        self._jobs = jobs
        self._space = space
        self._waiting: deque[_Waiting] = deque()
        self._committing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Cancel the commit in flight and every waiting document. Idempotent."""
        if self._committing is not None:
            self._committing.cancel()
            await asyncio.gather(self._committing, return_exceptions=True)
        while self._waiting:
            self._waiting.popleft()[1].cancel()

    async def store(self, completed: CompletedAttempt) -> None:
        """Return when the document is committed.

        Raises `LeaseLost` when this worker no longer holds the file, `EmbeddingModelChanged` when
        the index has changed to another model, and the database's errors.
        """
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((completed, stored))
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._work(), name="storing")
        await stored

    async def _work(self) -> None:
        while batch := self._take():
            try:
                await self._store(batch)
            finally:
                for _, stored in batch:
                    stored.cancel()  # no effect on a future that has a result

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        chunks = 0
        while self._waiting and len(batch) < MAX_DOCUMENTS_PER_COMMIT:
            completed, stored = self._waiting[0]
            chunks += len(completed.document.chunks)
            if batch and chunks > MAX_CHUNKS_PER_COMMIT:
                break
            self._waiting.popleft()
            if not stored.cancelled():
                batch.append((completed, stored))
        return batch

    async def _store(self, batch: Sequence[_Waiting]) -> None:
        try:
            held = await self._commit([completed for completed, _ in batch])
        except TRANSIENT as error:
            for _, stored in batch:
                _fail(stored, error)
        except Exception as error:
            if len(batch) == 1:
                _fail(batch[0][1], error)
                return
            for one in batch:  # only the document at fault fails
                await self._store([one])
        else:
            for completed, stored in batch:
                _resolve(stored, completed.job, is_held=completed.job in held)

    async def _commit(self, batch: Sequence[CompletedAttempt]) -> list[Job]:
        endings = [(completed.job, completed.ending()) for completed in batch]
        async with self._jobs.endings(endings, self._space) as (connection, held):
            if held:
                await replace_documents(connection, [f.document for f in batch if f.job in held])
            for completed, (_, ending) in zip(batch, endings, strict=True):
                completed.progress.close_stage()
                ending.fields["stages"] = completed.progress.stages()
        return held


def _resolve(stored: asyncio.Future[None], job: Job, *, is_held: bool) -> None:
    if not is_held:
        _fail(stored, LeaseLost(f"Another worker took over {job.name} from attempt {job.attempt}."))
    elif not stored.done():
        stored.set_result(None)


def _fail(stored: asyncio.Future[None], error: BaseException) -> None:
    if not stored.done():
        stored.set_exception(error)
