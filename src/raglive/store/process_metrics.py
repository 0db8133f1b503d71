"""The metrics of every process: build, resources, and the database as this process sees it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from raglive import __version__
from raglive.store.errors import STORE_ERRORS
from raglive.store.log.pipeline_status import read_within
from raglive.store.pool import Database, PoolUse

__all__ = ["FAST_BUCKETS", "ProcessMetrics"]

FAST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
READ_TIMEOUT_SECONDS = 2.0
READ_INTERVAL_SECONDS = 1.0  # anybody may ask for metrics, so questions share a reading


class ProcessMetrics:
    """Metrics in their own registry, so that one process can hold several.

    No label holds a name of a file or a person.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._gauge("build_info", "Version of raglive; always 1", "version").labels(
            __version__
        ).set(1)
        self._queries = self.histogram(
            "database_query_seconds", "Duration of database queries, network included"
        )
        self._database_up = self._gauge(
            "database_up", "Whether the database answered a query within two seconds"
        )
        self._database: Database | None = None
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")
        self._query: asyncio.Task[None] | None = None

    def observe_database(self, database: Database) -> None:
        """Measure the queries and the pool of `database` from now on."""
        self._database = database
        database.time_queries(self._queries.observe)
        self.registry.register(_PoolCollector(lambda: database.pool_use))

    async def refresh(self) -> None:
        """Read from the database what metrics report, unless that was done within a second.

        Does not raise: while the database does not answer, `raglive_database_up` is 0.
        """
        async with self._reading:
            database = self._database
            if database is None or time.monotonic() - self._read_at < READ_INTERVAL_SECONDS:
                return
            is_up = await self._read_in_time(database)
            if not is_up:
                self.forget()
            self._database_up.set(is_up)
            self._read_at = time.monotonic()

    async def _read_in_time(self, database: Database) -> bool:
        """Read unless an abandoned query still waits; return whether the database answered."""
        if self._query is not None and not self._query.done():
            return False
        self._query = asyncio.create_task(self.read(database), name="read-metrics")
        try:
            await read_within(READ_TIMEOUT_SECONDS, self._query)
        except STORE_ERRORS:
            return False
        return True

    async def read(self, database: Database) -> None:
        """Read what this process reports from the database; raises the database's errors."""
        await database.fetchval("SELECT 1")

    def forget(self) -> None:
        """Drop what was read: it may be out of date."""

    def counter(self, name: str, meaning: str, *labels: str) -> Counter:
        """Register a counter; `raglive_` and `_total` are added to the name."""
        return Counter(f"raglive_{name}", meaning, labels, registry=self.registry)

    def histogram(
        self, name: str, meaning: str, *labels: str, buckets: tuple[float, ...] = FAST_BUCKETS
    ) -> Histogram:
        """Register a histogram; `buckets` are upper bounds in seconds."""
        return Histogram(
            f"raglive_{name}", meaning, labels, buckets=buckets, registry=self.registry
        )

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"raglive_{name}", meaning, labels, registry=self.registry)


class _PoolCollector(Collector):
    """Reads the use of the connection pool at each scrape."""

    def __init__(self, use: Callable[[], PoolUse]) -> None:
        self._use = use

    def collect(self) -> Iterator[Any]:
        use = self._use()
        connections = GaugeMetricFamily(
            "raglive_database_connections", "Connections of the pool", labels=["state"]
        )
        connections.add_metric(["in_use"], use.in_use)
        connections.add_metric(["idle"], use.idle)
        yield connections
        yield GaugeMetricFamily(
            "raglive_database_max_connections", "Most connections of the pool", use.most
        )
        yield GaugeMetricFamily(
            "raglive_database_waiting", "Tasks that wait for a free connection", use.waiting
        )
