"""The metrics of the dashboard server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Gauge

from raglive.bus.bus import Bus
from raglive.http_api.metrics import Metrics
from raglive.store.pool import Database

__all__ = ["DashboardMetrics"]


class DashboardMetrics(Metrics):
    """Polls, besides what both servers measure."""

    def __init__(self, database: Database, bus: Bus) -> None:
        super().__init__(database, bus)
        self._polls = self.counter("polls", "Polls of the status that were answered", "result")
        self._open = Gauge(
            "raglive_open_polls", "Polls that wait for news or are read", registry=self.registry
        )

    @contextmanager
    def polling(self) -> Iterator[None]:
        """Count a poll as open until its answer is ready."""
        self._open.inc()
        try:
            yield
        finally:
            self._open.dec()

    def answered(self, status: int) -> None:
        """Count an answer to a poll: `unchanged` for 304, else `changed`."""
        self._polls.labels("unchanged" if status == 304 else "changed").inc()
