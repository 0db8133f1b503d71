"""Keeps the search indexes while a pipeline runs, or once when it is done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from raglive.contract.errors import RagliveError
from raglive.database.errors import DATABASE_ERRORS
from raglive.database.search_indexes import SearchIndexes

__all__ = ["keep_indexes", "keeping_indexes"]

log = structlog.get_logger()

LOOK_SECONDS = 10.0


@asynccontextmanager
async def keeping_indexes(indexes: SearchIndexes) -> AsyncIterator[None]:
    """Look after the indexes until the block ends; what is being built then is given up."""
    looking = asyncio.create_task(_look_after(indexes), name="index-upkeep")
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def keep_indexes(indexes: SearchIndexes) -> None:
    """Bring the indexes to where they should be; what goes wrong is logged: search does without."""
    try:
        await indexes.keep_up()
    except (RagliveError, *DATABASE_ERRORS) as error:  # type: ignore[misc]  # a flat tuple
        log.warning("search_indexes_not_kept", error=type(error).__name__, message=str(error))


async def _look_after(indexes: SearchIndexes) -> None:
    while True:
        await keep_indexes(indexes)
        await asyncio.sleep(LOOK_SECONDS)
