"""The interface between delivery and the ways to publish: HTTP, or SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["Batch", "Transport", "unavailable"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one pipeline, each as JSON."""

    pipeline_id: str
    pipeline_type: str
    events: Sequence[bytes]


class Transport(Protocol):
    """Publishes batches of events.

    Failures raise `RagliveError`. The codes `invalid_event`, `invalid_request`,
    `payload_too_large` and `forbidden` mean that the events themselves are refused; with any other
    code, the same batch is sent again later.
    """

    async def open(self) -> None:
        """Prepare without connecting, and forget the connection of an earlier `open`."""

    async def close(self) -> None:
        """Release what `open` acquired."""

    async def publish(self, batch: Batch) -> None:
        """Publish durable events: all are committed when it returns, none when it raises."""

    async def show(self, batch: Batch) -> None:
        """Send progress and heartbeats, which are not stored."""


def unavailable(message: str, retry_after_ms: int | None = None) -> RagliveError:
    """Return a retryable error: the server may answer later."""
    return RagliveError(
        message, code=ErrorCode.UNAVAILABLE, retryable=True, retry_after_ms=retry_after_ms
    )
