"""Finished documents go into the index together: whatever is ready when the last commit is done.

A pipeline's commits follow one another, for each publishes at the end of its log. So what one costs
bounds how many files a second there can be, unless several share one. Nobody waits for company.
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

__all__ = ["Finished", "Storing"]

MOST_DOCUMENTS = 64
MOST_CHUNKS = 4000

_Waiting = tuple["Finished", asyncio.Future[None]]


@dataclass(frozen=True, slots=True)
class Finished:
    """An attempt that has made what is to be stored."""

    progress: AttemptProgress
    results: dict[str, Any]
    document: Document

    @property
    def job(self) -> Job:
        """The job of the attempt."""
        return self.progress.job

    def ending(self) -> Ending:
        """Return the attempt's ending; its stages are known when the others' fields are."""
        fields = {"results": self.results, "success": True, "stages": self.progress.stages()}
        return Ending("file:completed", "completed_at", fields)


class Storing:
    """Stores documents of one pipeline. Use it with `async with`."""

    def __init__(self, jobs: Jobs, space: ChosenSpace) -> None:
        self._jobs = jobs
        self._space = space
        self._waiting: deque[_Waiting] = deque()
        self._at_work: asyncio.Task[None] | None = None

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
        """Let go of what is not stored yet; may be called again."""
        if self._at_work is not None:
            self._at_work.cancel()
            await asyncio.gather(self._at_work, return_exceptions=True)
        while self._waiting:
            self._waiting.popleft()[1].cancel()

    async def store(self, finished: Finished) -> None:
        """Return when it is committed.

        Raises `LeaseLost` when the attempt is no longer this worker's, `EmbeddingModelChanged` when
        the index is of another model by now, and the database's errors.
        """
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((finished, stored))
        if self._at_work is None or self._at_work.done():
            self._at_work = asyncio.create_task(self._work(), name="storing")
        await stored

    async def _work(self) -> None:
        while batch := self._take():
            try:
                await self._store(batch)
            finally:
                for _, stored in batch:
                    stored.cancel()  # no effect on what is settled

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        chunks = 0
        while self._waiting and len(batch) < MOST_DOCUMENTS:
            finished, stored = self._waiting[0]
            chunks += len(finished.document.chunks)
            if batch and chunks > MOST_CHUNKS:
                break
            self._waiting.popleft()
            if not stored.cancelled():
                batch.append((finished, stored))
        return batch

    async def _store(self, batch: Sequence[_Waiting]) -> None:
        try:
            held = await self._commit([finished for finished, _ in batch])
        except TRANSIENT as error:
            for _, stored in batch:
                _fail(stored, error)
        except Exception as error:
            if len(batch) == 1:
                _fail(batch[0][1], error)
                return
            for one in batch:  # whose fault it is
                await self._store([one])
        else:
            for finished, stored in batch:
                _settle(stored, finished.job, is_held=finished.job in held)

    async def _commit(self, batch: Sequence[Finished]) -> list[Job]:
        endings = [(finished.job, finished.ending()) for finished in batch]
        async with self._jobs.endings(endings, self._space) as (connection, held):
            if held:
                await replace_documents(connection, [f.document for f in batch if f.job in held])
            for finished, (_, ending) in zip(batch, endings, strict=True):
                finished.progress.close_stage()
                ending.fields["stages"] = finished.progress.stages()
        return held


def _settle(stored: asyncio.Future[None], job: Job, *, is_held: bool) -> None:
    if not is_held:
        _fail(stored, LeaseLost(f"Attempt {job.attempt} at {job.name} was taken away."))
    elif not stored.done():
        stored.set_result(None)


def _fail(stored: asyncio.Future[None], error: BaseException) -> None:
    if not stored.done():
        stored.set_exception(error)
