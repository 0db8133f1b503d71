"""A circuit breaker, so that a provider that is down is not tried again for every file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import structlog

from raglive.embedding.embedder import (
    EmbeddingError,
    EmbeddingFault,
    EmbeddingRefused,
)
from raglive_contract.backoff import Backoff
from raglive_contract.errors import ErrorCode

__all__ = ["CircuitBreaker", "CircuitOpen"]

OPENS_AFTER = 5  # consecutive failed requests
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0
OPENS_AT_RETRY_AFTER_SECONDS = 5.0  # a longer Retry-After opens the circuit at once

log = structlog.get_logger()


class CircuitOpen(EmbeddingError):
    """No request was sent: the provider fails, refuses all requests, or asked for a pause."""


class CircuitBreaker:
    """Lets requests through while closed, none while open, and one that decides while half open."""

    def __init__(self, *, first_pause_seconds: float = FIRST_PAUSE_SECONDS) -> None:
        self._backoff = Backoff(first_pause_seconds, LONGEST_PAUSE_SECONDS)
        self._failures = 0
        self._pauses = 0
        self._until: float | None = None
        self._probing = False
        self.last_error: EmbeddingError | None = None  # the last failure

    @property
    def state(self) -> Literal["closed", "open", "half_open"]:
        """`half_open` once the pause of an open circuit has passed."""
        if self._until is None:
            return "closed"
        return "open" if time.monotonic() < self._until else "half_open"

    def health(self) -> dict[str, Any]:
        """Return the fields that `GET /health` shows."""
        if self._until is None or self.last_error is None:
            return {"circuit": self.state}
        return {
            "circuit": self.state,
            "code": str(self.last_error.code),
            "message": self.last_error.message,
            "seconds_until_retry": round(max(0.0, self._until - time.monotonic()), 3),
        }

    @contextmanager
    def request(self, *, is_general: bool = False) -> Iterator[None]:
        """Allow one request and record its outcome. Raises `CircuitOpen` if none is allowed.

        A provider may fail for one text only, so an internal error of the provider counts only
        when `is_general` says that it fails for other texts too.
        """
        self._require_closed()
        self._probing = self._until is not None
        try:
            yield
        except EmbeddingError as error:
            if isinstance(error, EmbeddingFault) and not is_general:
                pass
            elif error.retryable or isinstance(error, EmbeddingRefused):
                self._note_failure(error)
            else:  # the provider works; the error is about this request
                self._close()
            raise
        else:
            self._close()
        finally:
            self._probing = False

    def _require_closed(self) -> None:
        if self._until is None or (self.state == "half_open" and not self._probing):
            return
        error = self.last_error
        assert error is not None, "an error opened the circuit"
        refused = isinstance(error, EmbeddingRefused)
        raise CircuitOpen(
            f"No requests go to the embedding provider for now. {error.message}",
            error.code if refused else ErrorCode.EMBEDDING_UNAVAILABLE,
            retry_after_seconds=max(1.0, self._until - time.monotonic()),
        )

    def _note_failure(self, error: EmbeddingError) -> None:
        self._failures += 1
        self.last_error = error
        asked = error.retry_after_seconds or 0.0
        stays_closed = self._failures < OPENS_AFTER and asked <= OPENS_AT_RETRY_AFTER_SECONDS
        if stays_closed and self._until is None and not isinstance(error, EmbeddingRefused):
            return
        if self.state == "open":  # this request was in flight when the circuit opened
            return
        pause = self._backoff.seconds(self._pauses, asked)
        self._pauses += 1
        self._until = time.monotonic() + pause
        log.warning("embedding_circuit_open", code=error.code, seconds=round(pause, 1))

    def _close(self) -> None:
        if self._until is not None:
            log.info("embedding_circuit_closed")
        self._failures = self._pauses = 0
        self._until = self.last_error = None
