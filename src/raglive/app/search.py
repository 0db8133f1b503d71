"""Search."""

from __future__ import annotations

from raglive.app.wiring import Wiring
from raglive.database.search import Hit
from raglive.database.status import no_such_pipeline
from raglive.pipeline.search import Question, Search

__all__ = ["search"]


async def search(wiring: Wiring, question: Question) -> list[Hit]:
    """Return the chunks that answer a question best, with the model that made the index.

    Raises what `Search.answer` does, and `not_found` for a pipeline that does not exist.
    """
    async with wiring.database("search", max_size=2) as database:
        asking = Search(database, wiring.settings)
        try:
            wanted = question.pipeline_ids
            if wanted is not None and not wanted <= await asking.pipeline_ids():
                raise no_such_pipeline()
            return await asking.answer(question)
        finally:
            await asking.close()
