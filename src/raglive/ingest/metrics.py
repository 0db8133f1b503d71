"""What a pipeline counts."""

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
    """A pipeline's metrics, in a registry of their own; no label names a file."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._attempts = self._counter("attempts", "Attempts that ended", "outcome")
        self._chunks = self._counter("chunks", "Chunks stored")
        self._embeddings = self._counter("embeddings", "Embeddings made anew")
        self._stages = Histogram(
            "raglive_stage_seconds",
            "What the stages of attempts took",
            ["stage"],
            buckets=STAGE_BUCKETS,
            registry=self.registry,
        )
        self.queries = Histogram(
            "raglive_database_query_seconds",
            "What queries took, on their way too",
            buckets=QUERY_BUCKETS,
            registry=self.registry,
        )
        self._active = Gauge(
            "raglive_active_files", "Files that are worked on", registry=self.registry
        )

    def ended(self, outcome: str, stages: Mapping[Any, float]) -> None:
        """Count an attempt: `completed`, `skipped` or `failed`, with its seconds by stage."""
        self._attempts.labels(outcome).inc()
        for stage, seconds in stages.items():
            self._stages.labels(str(stage)).observe(seconds)

    def stored(self, chunks: int, embeddings: int) -> None:
        """Count what a completed file brought."""
        self._chunks.inc(chunks)
        self._embeddings.inc(embeddings)

    def watch(self, active: Callable[[], int]) -> None:
        """Ask `active` how many files are worked on whenever it is to be known."""
        self._active.set_function(active)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"raglive_{name}", meaning, labels, registry=self.registry)
