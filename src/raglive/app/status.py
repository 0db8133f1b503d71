"""The status of all pipelines, as `raglive status` shows it."""

from __future__ import annotations

import asyncio

from raglive.app.dashboard_server import status_server_address
from raglive.app.installation import Installation
from raglive.app.queries import require_known
from raglive.dashboard.rag_status import StatusPoll, full_status
from raglive.dashboard.server import STALE_HEARTBEATS
from raglive.dashboard.status_probe import StatusProbe
from raglive.store.log.pipeline_status import PipelineReads
from raglive_contract.cursor import Cursor
from raglive_contract.http import RagStatus

__all__ = ["read_status"]


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
            body = full_status(
                StatusPoll(
                    rows,
                    [await reads.summary(row.head.pipeline_key) for row in rows],
                    events=[],
                    next_cursor=str(Cursor.of(row.head.position for row in rows)),
                    up_to_date=True,
                    revision=None,
                    read_at=asyncio.get_running_loop().time(),
                ),
                websocket_url=address.public_url,
                namespaces=address.namespaces,
                is_available=(await probe.fresh()).is_available,
                stale_seconds=STALE_HEARTBEATS * installation.settings.heartbeat_interval,
            )
            return RagStatus.model_validate(body)
    finally:
        await probe.close()
