"""Search."""

from __future__ import annotations

from raglive.app.unknown_pipeline import require_known
from raglive.app.wiring import Wiring
from raglive.database.search import Hit
from raglive.pipeline.search import Question, Search

__all__ = ["search"]


async def search(wiring: Wiring, question: Question) -> list[Hit]:
    """Return the chunks that answer a question best, with the model that made the index.

    Raises what `Search.answer` does, and `not_found` for a pipeline that does not exist.
    """
    async with wiring.database("search", max_size=2) as database:
        asking = Search(database, wiring.settings)
        try:
            if question.pipeline_ids is not None:
                require_known(question.pipeline_ids, await asking.pipeline_ids())
            return await asking.answer(question)
        finally:
            await asking.close()
