"""What the status server counts."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, PlatformCollector, ProcessCollector

__all__ = ["Metrics"]


class Metrics:
    """The status server's metrics, in a registry of their own."""

    def __init__(self, connected: Callable[[], float], lag_seconds: Callable[[], float]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        clients = Gauge(
            "raglive_connected_clients", "Connections to a namespace", registry=self.registry
        )
        clients.set_function(connected)
        lag = Gauge(
            "raglive_log_lag_seconds",
            "Since the log was last read to its end",
            registry=self.registry,
        )
        lag.set_function(lag_seconds)
        self.emitted = Counter(
            "raglive_events_emitted", "Events handed to rooms", ["type"], registry=self.registry
        )
        self.requests = Counter(
            "raglive_socket_requests", "Requests over Socket.IO", registry=self.registry
        )
        self.refusals = Counter(
            "raglive_refusals",
            "Connections and requests refused, by the code of the error",
            ["code"],
            registry=self.registry,
        )
        self.requested = 0
        self.handed_out = 0
        self.slow = Counter(
            "raglive_slow_disconnects", "Viewers closed for not keeping up", registry=self.registry
        )

    def request(self) -> None:
        """Count a request over Socket.IO."""
        self.requests.inc()
        self.requested += 1
