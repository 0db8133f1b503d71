"""Search."""

from __future__ import annotations

from raglive.app.embedder import open_embedder
from raglive.app.wiring import Wiring
from raglive.contract.errors import ErrorCode, RagliveError
from raglive.database.documents import Documents, Hit
from raglive.database.status import PipelineReads

__all__ = ["search"]


async def search(wiring: Wiring, query: str, *, limit: int, pipeline_id: str | None) -> list[Hit]:
    """Return the chunks that answer a query best, with the model that made the index.

    Raises `invalid_request` for an empty query, `not_found` for a pipeline that does not exist.
    """
    if not query.strip():
        raise RagliveError("Say what to look for.", code=ErrorCode.INVALID_REQUEST)
    async with (
        wiring.database("search", max_size=2) as database,
        open_embedder(wiring.settings, database) as embedder,
    ):
        if pipeline_id is not None:
            await PipelineReads(database).head(pipeline_id)
        [vector] = await embedder.embed([query])
        return await Documents(database).search(vector, limit=limit, pipeline_id=pipeline_id)
