"""What the cache of the dashboard server holds, and for how long."""

from __future__ import annotations

import gc

from raglive.bus.postgres import PostgresBus
from raglive.dashboard.status_cache import StatusCache
from raglive.store.log.pipeline_status import PipelineReads
from raglive.store.log.pipeline_summary import Summary
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord


def _summarized() -> set[str]:
    """List the pipelines whose summary is in memory."""
    gc.collect()
    held = [found for found in gc.get_objects() if isinstance(found, Summary)]
    return {str(summary.event["pipeline_id"]) for summary in held}


async def test_nothing_is_held_of_a_deleted_pipeline(database: Database) -> None:
    for name in ("stays", "goes"):
        await PipelineRecord.register(database, name, "local_files")
    cache = StatusCache(PipelineReads(database), PostgresBus(database.dsn))
    status = await cache.renew()
    await cache.pipelines(status.rows)
    assert _summarized() >= {"stays", "goes"}

    await database.execute("DELETE FROM raglive.pipelines WHERE pipeline_id = 'goes'")
    status = await cache.renew()
    assert [row.head.pipeline_id for row in status.rows] == ["stays"]
    assert "goes" not in _summarized()
    assert "stays" in _summarized()
