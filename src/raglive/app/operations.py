"""Operations of the command line: approving deletions, removing, retrying files, reindexing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from raglive.app.embedder import budget_config, configured_embedder, source_of, space_of
from raglive.app.installation import Installation
from raglive.app.queries import require_known
from raglive.ingest.reindex import Reindexer, ReindexProgress
from raglive.store.index.reindexing import reindexing
from raglive.store.index.vector_space import VectorSpace
from raglive.store.log.event_log import EventLog
from raglive.store.registry.held_deletions import (
    HeldDeletions,
    approve_deletions,
    list_held_deletions,
)
from raglive.store.registry.removal import RemovablePipeline, find_removable, remove_pipeline
from raglive.store.registry.retry import file_ids_of, retry_files
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["Reindexed", "abort_reindex", "approve", "reindex_all", "remove", "retry"]


async def approve(installation: Installation, pipeline_id: str | None) -> HeldDeletions:
    """Approve the deletions that one pipeline holds back; return them as they were reported.

    Raises `not_found` if no pipeline holds deletions back, or if several do and none is named.
    Raises `conflict` while the pipeline does not know which files are missing.
    """
    async with installation.database("approve", max_size=1) as database:
        held = await list_held_deletions(database)
        chosen = [one for one in held if pipeline_id in (None, one.pipeline_id)]
        if not chosen:
            raise RagliveError(
                f"There is nothing to approve: no deletions are held back"
                f"{f' by {pipeline_id}' if pipeline_id else ''}.",
                code=ErrorCode.NOT_FOUND,
            )
        if len(chosen) > 1:
            names = ", ".join(one.pipeline_id for one in chosen)
            raise RagliveError(
                f"Several pipelines hold deletions back: {names}. Choose one with --pipeline.",
                code=ErrorCode.NOT_FOUND,
            )
        [one] = chosen
        if not one.can_be_approved:
            raise RagliveError(
                f"The deletions of {one.pipeline_id} cannot be approved yet: {one.message} "
                "If the files are meant to be gone, create an empty folder in its place. Approve "
                "again when the pipeline reports the missing files.",
                code=ErrorCode.CONFLICT,
            )
        await approve_deletions(database, one.pipeline_key)
        return one


async def remove(
    installation: Installation, pipeline_id: str, confirm: Callable[[RemovablePipeline], bool]
) -> bool:
    """Remove a pipeline with its files, chunks and log; return whether `confirm` agreed.

    Raises `not_found`, and `conflict` while somebody uses the pipeline.
    """
    async with installation.database("remove", max_size=1) as database:
        require_known([pipeline_id], [one.pipeline_id for one in await EventLog(database).heads()])
        pipeline = await find_removable(database, pipeline_id)
        if not confirm(pipeline):
            return False
        await remove_pipeline(database, pipeline)
        return True


async def retry(
    installation: Installation, *, pipeline_id: str | None, files: Sequence[str], code: str | None
) -> int:
    """Requeue failed files of one pipeline or of all; return their number.

    `files` are ids, names or paths below the watched folder; if empty, all failed files.
    """
    async with installation.database("retry", max_size=1) as database:
        heads = await EventLog(database).heads()
        if pipeline_id is not None:
            require_known([pipeline_id], [head.pipeline_id for head in heads])
        keys = [head.pipeline_key for head in heads if pipeline_id in {None, head.pipeline_id}]
        wanted = await file_ids_of(database, keys, files) if files else dict.fromkeys(keys)
        requeued = 0
        for key, ids in wanted.items():
            try:
                requeued += await retry_files(
                    database, key, file_ids=ids, code=code, asked_by="command-line"
                )
            except RagliveError as refused:
                if pipeline_id is not None or files or refused.code != ErrorCode.CONFLICT:
                    raise  # of all pipelines, those of other programs are left out
        return requeued


@dataclass(frozen=True, slots=True)
class Reindexed:
    """The result of `reindex_all`; `chunks` is None if the index already had this space."""

    space: VectorSpace
    chunks: int | None


async def reindex_all(
    installation: Installation, on_progress: Callable[[ReindexProgress], None]
) -> Reindexed:
    """Embed every chunk with the configured model, and switch the index to the new vectors.

    Raises `ReindexRefused`, `EmbeddingError`, `BudgetSpent`, and the database's errors.
    """
    settings = installation.settings
    async with installation.database("reindex") as database, reindexing(database) as store:
        following = await store.next_space()
        embedder = await configured_embedder(settings, following)
        try:
            source = source_of(settings, embedder, following)
            space = await store.begin(space_of(embedder), source)
            if space is None:
                await store.tidy()
                return Reindexed(space_of(embedder), None)
            price = budget_config(settings)
            chunks = await Reindexer(database, store, embedder, space, price, on_progress).run()
            return Reindexed(space.space, chunks)
        finally:
            await embedder.close()


async def abort_reindex(installation: Installation) -> VectorSpace | None:
    """Discard the vectors of an unfinished run; return their space, None if there is none."""
    async with (
        installation.database("reindex", max_size=2) as database,
        reindexing(database) as store,
    ):
        unfinished = await store.next_space()
        if unfinished is None:
            return None
        await store.abort()
        return unfinished.space
