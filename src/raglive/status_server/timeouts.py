"""The time-outs of the status server, other than those that settings change."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TIMEOUTS", "Timeouts"]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds until each time-out takes effect."""

    log_lag: float = 5.0  # unread log: not ready
    bus_silence: float = 5.0  # no echo of the bus, which echoes every two: degraded
    log_reader_stall: float = 60.0  # no attempt to read the log: not alive
    pipeline_heartbeat: float = 20.0  # no heartbeat of a pipeline: offline
    token_expiry_warning: float = 60.0  # before a token expires: `auth:expiring`
    stalled_connection: float = 7.0  # write buffer does not drain: the connection is aborted
    slow_viewer: float = 8.0  # nothing read of a full outbound queue: the connection is closed
    graceful_shutdown: float = 3.0  # all connections are closed, spread over this time


TIMEOUTS = Timeouts()
