"""The metrics of both servers: requests, searches, and the bus; and the page of any process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.responses import Response

from raglive.bus.bus import Bus
from raglive.store.pool import Database
from raglive.store.process_metrics import ProcessMetrics
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["Metrics", "metrics_page"]


class Metrics(ProcessMetrics):
    """The metrics that the status server and the dashboard server share."""

    def __init__(self, database: Database, bus: Bus) -> None:
        super().__init__()
        self.observe_database(database)
        self.requests = self.histogram(
            "http_request_seconds", "Time from a request to its response", "method", "status"
        )
        self._searches = self.histogram(
            "search_seconds", "Time from a question to its hits", "mode", "outcome"
        )
        self.registry.register(_BusCollector(bus))

    def note_request(self, method: str, status: int | None, started: float) -> None:
        """Observe a request that ends now; `started` is a value of `time.perf_counter()`."""
        known = method if method in {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"} else "other"
        labelled = self.requests.labels(known, str(status or "none"))
        labelled.observe(time.perf_counter() - started)

    @contextmanager
    def searching(self, mode: str) -> Iterator[None]:
        """Observe a search; its outcome is `ok` or an error code."""
        started, outcome = time.perf_counter(), str(ErrorCode.INTERNAL)
        try:
            yield
            outcome = "ok"
        except RagliveError as error:
            outcome = str(error.code)
            raise
        finally:
            self._searches.labels(mode, outcome).observe(time.perf_counter() - started)


async def metrics_page(metrics: ProcessMetrics) -> Response:
    """Render the metrics in Prometheus' text format."""
    await metrics.refresh()
    return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)


class _BusCollector(Collector):
    """Reads at each scrape how long the services of the bus have been silent."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def collect(self) -> Iterator[Any]:
        silences = GaugeMetricFamily(
            "raglive_bus_silence_seconds",
            "Seconds since a message of its own came back over a service",
            labels=["service"],
        )
        for name, seconds in self._bus.silent_seconds.items():
            silences.add_metric([name], seconds)
        yield silences
