"""The metrics of every server process: requests, database queries, and the process itself."""

from __future__ import annotations

import time

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from starlette.responses import Response

__all__ = ["FAST_BUCKETS", "Metrics"]

FAST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Metrics in their own registry, so that one process can hold several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Histogram(
            "raglive_http_request_seconds",
            "Time from a request to its response",
            ["method", "status"],
            buckets=FAST_BUCKETS,
            registry=self.registry,
        )
        self.queries = Histogram(
            "raglive_database_query_seconds",
            "Duration of database queries, network included",
            buckets=FAST_BUCKETS,
            registry=self.registry,
        )

    def note_request(self, method: str, status: int | None, started: float) -> None:
        """Observe a request that ends now; `started` is a value of `time.perf_counter()`."""
        known = method if method in {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"} else "other"
        labelled = self.requests.labels(known, str(status or "none"))
        labelled.observe(time.perf_counter() - started)

    def page(self) -> Response:
        """Render the metrics in Prometheus' text format."""
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)
