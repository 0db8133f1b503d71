"""Rebuilds an index repeatedly: each run is killed at a later step, and then continued.

`python -m tests.integration.ingest.crash_reindex DSN PROVIDER FIRST EVERY`: the rounds FIRST,
FIRST + EVERY, ... each run a child that dies at the step of that number, and another child that
continues, with a model of their own. A line on standard output says where each child died. The last
line is the model of the round in which no step was left to die at.
"""

from __future__ import annotations

import os
import sys
from functools import partial

from raglive.app.operations import reindex_all
from raglive.ingest import reindex as reindexing
from raglive.store.index.model_source import ModelSource
from raglive.store.index.reindexing import Reindexing
from raglive.store.index.vector_space import ChosenSpace, VectorSpace
from tests.integration.ingest.crash_process import COUNTED, DIED, REPORT, Steps, count, run, warm_up
from tests.integration.ingest.ingesting import wired

PAGE = 4  # chunks: two pages


def main() -> None:
    dsn, provider, first, every = sys.argv[1:]
    warm_up()
    reindexing.PAGE_CHUNKS = PAGE
    for last in range(int(first), 10_000, int(every)):
        model = f"m{last}"
        died = run(partial(_reindex, dsn, provider, model, last), 0)
        assert died in {0, DIED}, died
        if died == 0:
            os.write(REPORT, f"{model}\n".encode())
            return
        assert run(partial(_reindex, dsn, provider, model, 0), 0) == 0


async def _reindex(dsn: str, provider: str, model: str, last: int) -> None:
    begin = Reindexing.begin

    async def begin_counting(
        self: Reindexing, wanted: VectorSpace, source: ModelSource
    ) -> ChosenSpace | None:
        count(Steps(last, COUNTED))
        return await begin(self, wanted, source)

    Reindexing.begin = begin_counting  # type: ignore[method-assign]
    await reindex_all(wired(dsn, provider, EMBEDDING_MODEL=model), lambda _: None)


if __name__ == "__main__":
    main()
