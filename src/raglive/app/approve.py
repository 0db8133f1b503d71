"""Approving deletions that a pipeline holds back."""

from __future__ import annotations

from raglive.app.wiring import Wiring
from raglive.contract.errors import ErrorCode, RagliveError
from raglive.database.approval import Held, approve_deletions, held_pipelines

__all__ = ["approve"]


async def approve(wiring: Wiring, pipeline_id: str | None) -> Held:
    """Let one pipeline delete what it holds back; return which, and what it said.

    Raises `not_found` when none does, or several do and none is named, and `conflict` when what
    it would delete is not known yet.
    """
    async with wiring.database("approve", max_size=1) as database:
        held = await held_pipelines(database)
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
        if not one.is_decided:
            raise RagliveError(
                f"{one.pipeline_id} holds nothing back that can be deleted yet: {one.message} "
                "If its files are meant to be gone, make an empty folder in its place, and approve "
                "what the pipeline then says it misses.",
                code=ErrorCode.CONFLICT,
            )
        await approve_deletions(database, one.pipeline_key)
        return one
