"""The messages of the bus. Each may be late, merged with another, or missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Hint", "Live", "Message", "Reconnected"]


@dataclass(frozen=True, slots=True)
class Hint:
    """A pipeline's log has reached at least `seq`."""

    pipeline_key: int
    seq: int


@dataclass(frozen=True, slots=True)
class Live:
    """Conflated events in their wire form, oldest first."""

    events: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Reconnected:
    """Listening has started, or started again: hints may have been missed, so read the heads."""


Message = Hint | Live | Reconnected
