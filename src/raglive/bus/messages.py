"""What a listener of the bus is told. All of it may be late, merged or missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Hint", "Live", "Message", "Reconnected"]


@dataclass(frozen=True, slots=True)
class Hint:
    """A pipeline's log has reached `seq`, or more."""

    pipeline_key: int
    seq: int


@dataclass(frozen=True, slots=True)
class Live:
    """Conflated events in their wire form, oldest first."""

    events: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Reconnected:
    """Listening has begun, or begun again: read the heads, hints may have been missed."""


Message = Hint | Live | Reconnected
