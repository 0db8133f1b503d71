"""What the status server counts, and what it finds when it is asked."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psutil
from prometheus_client import Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from raglive.http_api.metrics import FAST_BUCKETS, Metrics

__all__ = ["Found", "StatusMetrics"]

DURATION_BUCKETS = (1.0, 10.0, 60.0, 600.0, 3600.0, 6 * 3600.0, 24 * 3600.0)


@dataclass(slots=True)
class Found:
    """How the server stands at this moment."""

    clients: int = 0
    transports: Tally[str] = field(default_factory=Tally)
    queued_packets: int = 0
    held_bytes: int = 0
    most_held_bytes: int = 0
    lag_seconds: float = 0.0
    bus_silence_seconds: float = 0.0
    conflated: int = 0
    gaps: int = 0
    digest_mismatches: int = 0
    dropped: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0


class StatusMetrics(Metrics):
    """The status server's metrics; no label ever names a pipeline, a file or a person."""

    def __init__(self, find: Callable[[], Found]) -> None:
        super().__init__()
        self.registry.register(_Standing(find))
        self.connected = self._counter("connections", "Connections let in", "namespace")
        self.refused = self._counter("refused_connections", "Connections refused", "code")
        self.disconnected = self._counter("disconnects", "Connections that ended", "reason")
        self.durations = self._histogram(
            "connection_duration_seconds", "How long connections lasted", DURATION_BUCKETS
        )
        self.reconnects = self._counter("reconnects", "Connections that came with a cursor")
        self.resumes = self._counter("resumes", "Where viewers found what they had missed", "place")
        self.emitted = self._counter("events_emitted", "Events handed to rooms", "type")
        self.deliveries = self._counter("deliveries", "Events queued for viewers")
        self.accepted = self._counter("events_accepted", "Events published by producers")
        self.duplicates = self._counter("events_duplicate", "Events published again, and not kept")
        self.latency = self._histogram(
            "commit_to_emit_seconds", "From an event's timestamp to its being queued", FAST_BUCKETS
        )
        self.asked = Histogram(
            "raglive_socket_request_seconds",
            "From a request over Socket.IO to its answer",
            ["request", "outcome"],
            buckets=FAST_BUCKETS,
            registry=self.registry,
        )
        self.refusals = self._counter(
            "refusals", "Connections and requests refused, by the code of the error", "code"
        )
        self.requested = 0
        self.handed_out = 0
        self.slow = self._counter("slow_disconnects", "Viewers closed for not keeping up")
        self.snapshots = self._counter("backlog_snapshots", "Snapshots sent in place of a backlog")

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"raglive_{name}", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"raglive_{name}", meaning, buckets=buckets, registry=self.registry)


class _Standing(Collector):
    """What is not counted as it happens, but looked up."""

    def __init__(self, find: Callable[[], Found]) -> None:
        self._find = find
        self._process = psutil.Process()
        self._bare_bytes = self._process.memory_info().rss

    def collect(self) -> Iterator[Any]:
        found = self._find()
        transports = GaugeMetricFamily(
            "raglive_connections_by_transport", "Connections by transport", labels=["transport"]
        )
        for name in ("polling", "websocket"):
            transports.add_metric([name], found.transports[name])
        yield transports
        for name, meaning, value in self._gauges(found):
            yield GaugeMetricFamily(f"raglive_{name}", meaning, value)
        for name, meaning, count in _counts(found):
            yield CounterMetricFamily(f"raglive_{name}", meaning, count)

    def describe(self) -> Iterator[Any]:
        return iter(())

    def _gauges(self, found: Found) -> Iterator[tuple[str, str, float]]:
        grown = max(0, self._process.memory_info().rss - self._bare_bytes)
        each = grown / found.clients if found.clients else 0.0
        yield "connected_clients", "Connections to a namespace", found.clients
        yield "log_lag_seconds", "Since the log was last read to its end", found.lag_seconds
        yield "bus_silence_seconds", "Since the bus was last heard", found.bus_silence_seconds
        yield "queued_packets", "Packets that wait to be written", found.queued_packets
        yield "held_bytes", "Bytes that wait to be written, of all viewers", found.held_bytes
        yield "most_held_bytes", "Bytes that wait for one viewer, at most", found.most_held_bytes
        yield "memory_per_connection_bytes", "Memory since the start, by connection", each


def _counts(found: Found) -> Iterator[tuple[str, str, int]]:
    yield "conflated", "Progress and heartbeats that a later one replaced", found.conflated
    yield "gaps", "Logs that did not go on from where they were read to", found.gaps
    yield "digest_mismatches", "Logs that went on with another digest", found.digest_mismatches
    yield "failed_deliveries", "Packets queued for viewers that ended before", found.dropped
    yield "sent_bytes", "Bytes of answers and packets", found.sent_bytes
    yield "received_bytes", "Bytes of requests and packets", found.received_bytes
