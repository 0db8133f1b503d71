"""Viewers that could not be written to: brought on as they read, shown a snapshot, or closed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from raglive.status_server.background import Tasks
from raglive.status_server.metrics import StatusMetrics
from raglive.status_server.subscriptions.hub import Hub
from raglive.status_server.subscriptions.rooms import Audience, Viewer

__all__ = ["CatchingUp"]

log = structlog.get_logger()


class CatchingUp:
    """One task for each viewer that is behind.

    `show` sends a pipeline's status in place of a backlog that is no longer kept, and lets the
    viewer follow from there. `give_up` closes a viewer that has read nothing for `seconds`.
    """

    def __init__(
        self,
        hub: Hub,
        audience: Audience,
        tasks: Tasks,
        *,
        show: Callable[[Viewer, str], Awaitable[None]],
        give_up: Callable[[Viewer], None],
        metrics: StatusMetrics,
        seconds: float,
    ) -> None:
        self._hub = hub
        self._audience = audience
        self._tasks = tasks
        self._show = show
        self._give_up = give_up
        self._metrics = metrics
        self._seconds = seconds

    def start(self, viewer: Viewer) -> None:
        """Begin to bring a viewer on, if it is behind; what it joins just now comes first."""
        if viewer.behind.keys() - viewer.joining and not viewer.is_catching_up:
            viewer.is_catching_up = True
            self._tasks.start(self._run(viewer), "catching-up")

    async def _run(self, viewer: Viewer) -> None:
        try:
            while late := viewer.behind.keys() - viewer.joining:
                if not await viewer.outbox.room(self._seconds):
                    self._give_up(viewer)
                if self._audience.find(viewer.sid) is not viewer:
                    return
                for pipeline_id in sorted(late & viewer.behind.keys()):
                    await self._bring_on(viewer, pipeline_id)
        finally:
            viewer.is_catching_up = False

    async def _bring_on(self, viewer: Viewer, pipeline_id: str) -> None:
        missed = self._hub.after(pipeline_id, viewer.behind[pipeline_id])
        if missed is None:
            self._metrics.snapshots.inc()
            log.info("snapshot_for_backlog", connection=viewer.sid, pipeline=pipeline_id)
            self._audience.leave(viewer, [pipeline_id])
            await self._show(viewer, pipeline_id)
            return
        written = self._audience.fill(viewer, missed)
        if written == len(missed):
            del viewer.behind[pipeline_id]  # and from this step on it is live again
        elif seq := missed[written - 1].seq if written else None:
            viewer.behind[pipeline_id] = seq
