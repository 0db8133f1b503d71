"""How long the status server waits for others."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PATIENCE", "Patience"]


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds the status server gives others."""

    lag: float = 5.0  # of the log, until it is not ready
    bus: float = 16.0  # of silence, until it is not ready; it answers every ten
    standing_still: float = 60.0  # without a look at the log, until it is not alive
    silent_pipeline: float = 20.0  # without a heartbeat, until it is offline
    ending_token: float = 60.0  # of warning
    stalled_connection: float = 7.0  # that does not read, until it is aborted
    slow_viewer: float = 8.0  # that has read nothing of what is held for it, until it is closed
    leaving: float = 3.0  # one after the other, when the server stops


PATIENCE = Patience()
