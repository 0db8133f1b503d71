"""The Prometheus metrics of a pipeline process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

__all__ = ["PipelineMetrics"]

QUERY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
STAGE_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0)


class PipelineMetrics:
    """A pipeline's metrics in a registry of their own. No label holds a file's name."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._attempts = self._counter("attempts", "Attempts that ended", "outcome")
        self._chunks = self._counter("chunks", "Chunks stored")
        self._embeddings = self._counter("embeddings", "Embeddings computed, not reused")
        self._stages = Histogram(
            "raglive_stage_seconds",
            "Duration of the stages of attempts",
            ["stage"],
            buckets=STAGE_BUCKETS,
            registry=self.registry,
        )
        self.queries = Histogram(
            "raglive_database_query_seconds",
            "Duration of database queries, network included",
            buckets=QUERY_BUCKETS,
            registry=self.registry,
        )
        self._active = Gauge("raglive_active_files", "Files in progress", registry=self.registry)

    def ended(self, outcome: str, stages: Mapping[Any, float]) -> None:
        """Count an attempt by outcome (`completed`, `skipped`, `failed`), with seconds by stage."""
        self._attempts.labels(outcome).inc()
        for stage, seconds in stages.items():
            self._stages.labels(str(stage)).observe(seconds)

    def stored(self, chunks: int, embeddings: int) -> None:
        """Count the chunks and the new embeddings of a completed file."""
        self._chunks.inc(chunks)
        self._embeddings.inc(embeddings)

    def observe_active_files(self, active: Callable[[], int]) -> None:
        """Read the number of files in progress from `active` at each scrape."""
        self._active.set_function(active)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"raglive_{name}", meaning, labels, registry=self.registry)
