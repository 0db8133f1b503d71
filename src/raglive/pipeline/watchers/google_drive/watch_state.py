"""What the watcher keeps beside its tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["WatchState"]


@dataclass(frozen=True, slots=True)
class WatchState:
    """How far the full listing is, and what it holds back."""

    listing: int = 0  # the number of the last full listing
    in_full: bool = False  # it is still under way
    listed_at: float = 0.0  # when the last one ended, in seconds since 1970
    held: int = 0  # files that it would have deleted
    approved: bool = False

    @classmethod
    def kept_in(cls, state: Mapping[str, Any]) -> WatchState:
        """Return what `PipelineRecord.watch_state` holds."""
        return cls(
            int(state.get("listing", 0)),
            bool(state.get("in_full")),
            float(state.get("listed_at", 0.0)),
            int(state.get("held", 0)),
            bool(state.get("deletions_approved")),
        )
