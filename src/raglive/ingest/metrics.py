"""The Prometheus metrics of a pipeline process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client import Gauge

from raglive.store.process_metrics import ProcessMetrics

__all__ = ["PipelineMetrics"]

STAGE_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0)


class PipelineMetrics(ProcessMetrics):
    """The work of one pipeline process. The state of pipelines is with the status server."""

    def __init__(self) -> None:
        super().__init__()
        self._attempts = self.counter("attempts", "Attempts that ended", "outcome", "code")
        self._chunks = self.counter("chunks", "Chunks stored")
        self._embeddings = self.counter("embeddings", "Embeddings computed, not reused")
        self._requests = self.histogram(
            "embedding_request_seconds", "Duration of requests to the embedding provider", "outcome"
        )
        self._tokens = self.counter("embedding_tokens", "Tokens that the provider billed")
        self._stages = self.histogram(
            "stage_seconds", "Duration of the stages of attempts", "stage", buckets=STAGE_BUCKETS
        )
        self._active = Gauge("raglive_active_files", "Files in progress", registry=self.registry)

    def ended(self, outcome: str, stages: Mapping[Any, float], code: str = "") -> None:
        """Count an attempt: `completed`, `skipped`, `failed` or `requeued`, and its error code.

        `stages` are seconds by stage.
        """
        self._attempts.labels(outcome, code).inc()
        for stage, seconds in stages.items():
            self._stages.labels(str(stage)).observe(seconds)

    def stored(self, chunks: int, embeddings: int) -> None:
        """Count the chunks and the new embeddings of a completed file."""
        self._chunks.inc(chunks)
        self._embeddings.inc(embeddings)

    def requested(self, outcome: str, seconds: float, tokens: int) -> None:
        """Observe a request to the embedding provider; its outcome is `ok` or an error code."""
        self._requests.labels(outcome).observe(seconds)
        self._tokens.inc(tokens)

    def observe_active_files(self, active: Callable[[], int]) -> None:
        """Read the number of files in progress from `active` at each scrape."""
        self._active.set_function(active)
