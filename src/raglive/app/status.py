"""The status of all pipelines, as `raglive status` shows it."""

from __future__ import annotations

from collections.abc import Sequence

from raglive.app.dashboard_server import status_server_address
from raglive.app.installation import Installation
from raglive.app.queries import require_known
from raglive.dashboard.rag_status import StatusAnswer, full_status, wire_pipeline
from raglive.dashboard.server import STALE_HEARTBEATS
from raglive.dashboard.status_cache import ShownPipeline
from raglive.dashboard.status_probe import StatusProbe
from raglive.store.log.pipeline_status import PipelineReads, PipelineRow
from raglive_contract.cursor import Cursor
from raglive_contract.http import RagStatus

__all__ = ["read_status"]

BATCH = 100


async def read_status(installation: Installation, pipeline_id: str | None) -> RagStatus:
    """Build the answer of `/api/rag-status` with all rights."""
    address = status_server_address(installation.settings)
    probe = StatusProbe(address.internal_url)
    try:
        async with installation.database("status", max_size=2) as database:
            reads = PipelineReads(database)
            rows = await reads.pipelines()
            if pipeline_id is not None:
                require_known([pipeline_id], [row.head.pipeline_id for row in rows])
                rows = [row for row in rows if row.head.pipeline_id == pipeline_id]
            shown = await _whole(reads, rows)
            stale_seconds = STALE_HEARTBEATS * installation.settings.heartbeat_interval
            answer = StatusAnswer(
                [it.row for it in shown],
                [wire_pipeline(it, stale_seconds, None) for it in shown],
                events=[],
                next_cursor=str(Cursor.of(it.row.head.position for it in shown)),
                up_to_date=True,
            )
            body = full_status(
                answer,
                websocket_url=address.public_url,
                namespaces=address.namespaces,
                is_available=(await probe.fresh()).is_available,
            )
            return RagStatus.model_validate(body)
    finally:
        await probe.close()


async def _whole(reads: PipelineReads, rows: Sequence[PipelineRow]) -> list[ShownPipeline]:
    keys = [row.head.pipeline_key for row in rows]
    shown: list[ShownPipeline] = []
    for start in range(0, len(keys), BATCH):
        some = keys[start : start + BATCH]
        summaries = await reads.summaries(some)
        shown += [
            ShownPipeline(it.row, it.status, summaries[it.row.head.pipeline_key])
            for it in await reads.snapshots(some)
            if it.row.head.pipeline_key in summaries
        ]
    return shown
