"""The status of all pipelines, as `raglive status` prints it."""

from __future__ import annotations

import asyncio

from raglive.app.installation import Installation
from raglive.app.queries import require_known
from raglive.dashboard.rag_status import Missed, full_status
from raglive.dashboard.server import STALE_HEARTBEATS
from raglive.dashboard.status_probe import StatusProbe
from raglive.dashboard.status_server_address import StatusPlace
from raglive.dashboard.system_status import Picture
from raglive.store.log.pipeline_status import PipelineReads
from raglive_contract.cursor import Cursor
from raglive_contract.http import RagStatus
from raglive_contract.permissions import Grant, Role

__all__ = ["read_status"]


async def read_status(installation: Installation, pipeline_id: str | None) -> RagStatus:
    """Return what `/api/rag-status` says to one who may see everything."""
    place = StatusPlace(installation.settings)
    probe = StatusProbe(place.own_url)
    try:
        async with installation.database("status", max_size=2) as database:
            reads = PipelineReads(database)
            picture = Picture(await reads.board(), asyncio.get_running_loop().time(), reads)
            if pipeline_id is not None:
                known = [one.head.pipeline_id for one in picture.standings]
                require_known([pipeline_id], known)
            standings = picture.visible(Grant(Role.ADMIN, ("*",)), pipeline_id)
            cursor = Cursor.of(one.head.position for one in standings)
            body = full_status(
                Missed(picture, standings, [], str(cursor), up_to_date=True),
                websocket_url=place.own_url,
                namespaces=place.namespaces,
                is_available=(await probe.fresh()).is_available,
                stale_seconds=STALE_HEARTBEATS * installation.settings.heartbeat_interval,
            )
            return RagStatus.model_validate(body)
    finally:
        await probe.close()
