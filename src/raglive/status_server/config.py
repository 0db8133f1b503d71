"""The configuration of the status server."""

from __future__ import annotations

from dataclasses import dataclass

from raglive.status_server.admission import AdmissionConfig
from raglive.status_server.timeouts import TIMEOUTS, Timeouts
from raglive.store.retention import Retention

__all__ = ["StatusServerConfig"]


@dataclass(frozen=True, slots=True)
class StatusServerConfig:
    """Addresses, namespaces, limits and time-outs of the status server."""

    host: str  # that it listens on
    allowed_hosts: tuple[str, ...]
    socket_path: str
    pipeline_types: tuple[str, ...]  # each has a namespace
    heartbeat_interval_seconds: float
    admission: AdmissionConfig
    retention: Retention
    handshake_seconds: float
    idle_seconds: float
    socket_timeout_seconds: int
    metrics_by_pipeline: bool = False
    server_name: str = ""  # in session ids, for proxies
    timeouts: Timeouts = TIMEOUTS
