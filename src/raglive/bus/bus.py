"""The bus between processes, and its messages. Each may be late, merged with another, or missing.

The log alone is authoritative: whoever follows it also reads it without the bus.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from raglive_contract.wire import WireLiveEvent

__all__ = ["Bus", "Hint", "Live", "Message", "Reconnected"]


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


class Bus(Protocol):
    """Sends to and listens for the other processes of an installation; close it after use."""

    @property
    def silent_seconds(self) -> Mapping[str, float]:
        """The time since messages last arrived, by the name of each service that carries them.

        Listeners prove the delivery every second or two; it is infinite while one is lost, and
        before the first.
        """

    def listen(self, *, live: bool = True) -> AsyncGenerator[Message, None]:
        """Yield messages without end: `Reconnected` at the start and after each outage.

        Without `live`, conflated events are left out. Iterate within `contextlib.aclosing`, which
        closes the connection.
        """

    async def send(self, events: Sequence[WireLiveEvent]) -> None:
        """Send conflated events to every listener; raise `unavailable` if nothing carries them."""

    async def close(self) -> None:
        """Close the sending connections; a listener is closed by its consumer. Idempotent."""
