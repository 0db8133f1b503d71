"""How events reach the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["Batch", "Transport", "unavailable"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one pipeline, each the JSON of an event."""

    pipeline_id: str
    pipeline_type: str
    events: Sequence[bytes]


class Transport(Protocol):
    """Takes events to the log.

    What fails is said with the codes of the contract: `invalid_event`, `invalid_request`,
    `payload_too_large` and `forbidden` are the events' own fault, everything else may pass.
    """

    async def open(self) -> None:
        """Prepare, without connecting; what an earlier `open` left is forgotten."""

    async def close(self) -> None:
        """Give back what `open` took."""

    async def publish(self, batch: Batch) -> None:
        """Publish durable events: when it returns, all are committed; else raise, and none is."""

    async def show(self, batch: Batch) -> None:
        """Send progress and heartbeats."""


def unavailable(message: str, retry_after_ms: int | None = None) -> RagliveError:
    """Return the error for a server that may answer later."""
    return RagliveError(
        message, code=ErrorCode.UNAVAILABLE, retryable=True, retry_after_ms=retry_after_ms
    )
