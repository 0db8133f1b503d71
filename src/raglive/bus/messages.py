"""The messages of the bus. Each may be late, merged with another, or missing."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Hint", "Live", "Message", "Reconnected"]


@dataclass(frozen=True, slots=True)
class Hint:
    """A pipeline's log has reached at least `seq`."""

    pipeline_key: int
    seq: int


@dataclass(frozen=True, slots=True)
class Live:
    """Conflated events, oldest first: JSON objects as another process sent them, not checked."""

    events: list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class Reconnected:
    """Listening has started, or started again: hints may have been missed, so read the heads."""


Message = Hint | Live | Reconnected
