"""The metrics of the status server: counters, histograms, and its state when it is scraped."""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psutil
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from raglive.bus.bus import Bus
from raglive.http_api.metrics import Metrics
from raglive.status_server.pipeline_metrics import PipelineStateCollector
from raglive.status_server.subscriptions.messages import Message
from raglive.status_server.transport.connection_writer import Traffic
from raglive.status_server.transport.socketio_server import TransportState
from raglive.store.pool import Database
from raglive.store.registry.pipeline_figures import pipeline_figures

__all__ = ["ServerState", "StatusMetrics"]

DURATION_BUCKETS = (1.0, 10.0, 60.0, 600.0, 3600.0, 6 * 3600.0, 24 * 3600.0)


@dataclass(frozen=True, slots=True)
class ServerState:
    """Values that are read at each scrape."""

    clients: int
    behind: int
    transport: TransportState
    lag_seconds: float
    conflated: int
    gaps: int
    digest_mismatches: int
    traffic: Traffic


class StatusMetrics(Metrics):
    """The status server's metrics; no label names a file or a person.

    A label names a pipeline only with `by_pipeline`.
    """

    def __init__(
        self,
        read_state: Callable[[], ServerState],
        database: Database,
        bus: Bus,
        *,
        by_pipeline: bool = False,
    ) -> None:
        super().__init__(database, bus)
        self._pipelines = PipelineStateCollector(by_pipeline=by_pipeline)
        self.registry.register(self._pipelines)
        self.registry.register(_StateCollector(read_state))
        self.connected = self.counter("connections", "Connections accepted", "namespace")
        self.refused = self.counter("refused_connections", "Connections refused", "code")
        self.disconnected = self.counter("disconnects", "Connections that ended", "reason")
        self.durations = self.histogram(
            "connection_duration_seconds", "How long connections lasted", buckets=DURATION_BUCKETS
        )
        self.reconnects = self.counter("reconnects", "Connections that presented a cursor")
        self.resumes = self.counter(
            "resumes", "Source of the missed events that were replayed", "place"
        )
        self.emitted = self.counter("events_emitted", "Events emitted to rooms", "type")
        self.deliveries = self.counter("deliveries", "Events queued for viewers")
        self.accepted = self.counter("events_accepted", "Events published by producers")
        self.duplicates = self.counter("events_duplicate", "Duplicate events that were ignored")
        self.latency = self.histogram(
            "commit_to_emit_seconds", "Time from an event's timestamp to the outbound queues"
        )
        self.socket_requests = self.histogram(
            "socket_request_seconds",
            "Time from a request over Socket.IO to its answer",
            "request",
            "outcome",
        )
        self.refusals = self.counter(
            "refusals", "Connections and requests refused, by error code", "code"
        )
        self.requested = 0
        self.handed_out = 0
        self.slow = self.counter("slow_disconnects", "Viewers closed because they did not read")
        self.snapshots = self.counter("backlog_snapshots", "Snapshots sent instead of a backlog")

    def note_delivery(self, messages: Sequence[Message], deliveries: int) -> None:
        """Count messages of the log or the bus that were queued for a room."""
        for kind, count in Tally(message.type for message in messages).items():
            self.emitted.labels(kind).inc(count)
        self.handed_out += len(messages)
        self.deliveries.inc(deliveries)
        if occurred_at := messages[-1].occurred_at:
            self.latency.observe(max(0.0, time.time() - occurred_at))

    async def read(self, database: Database) -> None:
        """Read the state of the pipelines; raises the database's errors."""
        self._pipelines.figures = await pipeline_figures(database)

    def forget(self) -> None:
        """Report no pipelines."""
        self._pipelines.figures = []


class _StateCollector(Collector):
    """Reads the state of the server at each scrape."""

    def __init__(self, read_state: Callable[[], ServerState]) -> None:
        self._read_state = read_state
        self._process = psutil.Process()
        self._initial_bytes = self._process.memory_info().rss

    def collect(self) -> Iterator[Any]:
        state = self._read_state()
        transports = GaugeMetricFamily(
            "raglive_connections_by_transport", "Connections by transport", labels=["transport"]
        )
        for name in ("polling", "websocket"):
            transports.add_metric([name], state.transport.by_transport[name])
        yield transports
        for name, meaning, value in self._gauges(state):
            yield GaugeMetricFamily(f"raglive_{name}", meaning, value)
        for name, meaning, count in _counts(state):
            yield CounterMetricFamily(f"raglive_{name}", meaning, count)

    def _gauges(self, state: ServerState) -> Iterator[tuple[str, str, float]]:
        grown = max(0, self._process.memory_info().rss - self._initial_bytes)
        each = grown / state.clients if state.clients else 0.0
        yield "connected_clients", "Connections to a namespace", state.clients
        yield "behind_clients", "Connections that catch up with events", state.behind
        yield "log_lag_seconds", "Seconds since the log was last read to its end", state.lag_seconds
        yield "queued_packets", "Packets in outbound queues", state.transport.queued_packets
        yield "held_bytes", "Bytes not yet written, for all viewers", state.transport.held_bytes
        yield (
            "most_held_bytes",
            "Bytes not yet written for the slowest viewer",
            state.transport.most_held_bytes,
        )
        yield "memory_per_connection_bytes", "Memory growth since the start, per connection", each


def _counts(state: ServerState) -> Iterator[tuple[str, str, int]]:
    yield "conflated", "Progress and heartbeats replaced by a later one", state.conflated
    yield "gaps", "Gaps found in a log", state.gaps
    yield "digest_mismatches", "Digests that did not match their log", state.digest_mismatches
    yield (
        "failed_deliveries",
        "Packets dropped because the viewer disconnected",
        state.transport.dropped,
    )
    yield "sent_bytes", "Bytes sent", state.traffic.sent_bytes
    yield "received_bytes", "Bytes received", state.traffic.received_bytes
