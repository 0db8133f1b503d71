"""Back-pressure: subscribers that fell behind catch up, get a snapshot, or are closed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from raglive.status_server.background import BackgroundTasks
from raglive.status_server.metrics import StatusMetrics
from raglive.status_server.subscriptions.hub import Hub
from raglive.status_server.subscriptions.rooms import Rooms, Subscriber

__all__ = ["BackPressure"]

log = structlog.get_logger()


class BackPressure:
    """Runs one task for each subscriber that is behind.

    `restart` subscribes from a snapshot when the ring no longer reaches back far enough. `close`
    ends a connection that has read nothing for `seconds`.
    """

    def __init__(
        self,
        hub: Hub,
        rooms: Rooms,
        tasks: BackgroundTasks,
        *,
        restart: Callable[[Subscriber, str], Awaitable[None]],
        close: Callable[[Subscriber], None],
        metrics: StatusMetrics,
        seconds: float,
    ) -> None:
        self._hub = hub
        self._rooms = rooms
        self._tasks = tasks
        self._restart = restart
        self._close = close
        self._metrics = metrics
        self._seconds = seconds

    def catch_up(self, subscriber: Subscriber) -> None:
        """Start to catch up, except on pipelines that the subscriber is joining."""
        if subscriber.behind.keys() - subscriber.joining and not subscriber.is_catching_up:
            subscriber.is_catching_up = True
            self._tasks.start(self._run(subscriber), "catch-up")

    async def _run(self, subscriber: Subscriber) -> None:
        try:
            while late := subscriber.behind.keys() - subscriber.joining:
                if not await subscriber.queue.drained(self._seconds):
                    self._close(subscriber)
                if not self._rooms.has(subscriber):
                    return
                for pipeline_id in sorted(late & subscriber.behind.keys()):
                    await self._send_missed(subscriber, pipeline_id)
        finally:
            subscriber.is_catching_up = False

    async def _send_missed(self, subscriber: Subscriber, pipeline_id: str) -> None:
        missed = self._hub.after(pipeline_id, subscriber.behind[pipeline_id])
        if missed is None:
            self._metrics.snapshots.inc()
            log.info("snapshot_replaces_backlog", connection=subscriber.sid, pipeline=pipeline_id)
            self._rooms.leave(subscriber, [pipeline_id])
            await self._restart(subscriber, pipeline_id)
            return
        written = self._rooms.fill(subscriber, missed)
        if written == len(missed):
            del subscriber.behind[pipeline_id]  # live again from this step on
        elif seq := missed[written - 1].seq if written else None:
            subscriber.behind[pipeline_id] = seq
