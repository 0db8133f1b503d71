"""A circuit breaker: a provider that is down is asked seldom, and not by every file in turn."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast

import structlog

from raglive.embedding.embedder import (
    EmbeddingError,
    EmbeddingErrorCode,
    EmbeddingFault,
    EmbeddingRefused,
)

__all__ = ["Circuit", "CircuitOpen"]

OPENS_AFTER = 5  # requests that failed one after the other
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0
HEEDED_SECONDS = 5.0  # a provider that asks for a longer pause gets it at once

log = structlog.get_logger()


class CircuitOpen(EmbeddingError):
    """The provider was not asked: it has failed too often, refuses all, or asked not to be."""


class Circuit:
    """Closed, requests go through; open, none does; half open, one does, and decides."""

    def __init__(self, *, first_pause_seconds: float = FIRST_PAUSE_SECONDS) -> None:
        self._first_pause = first_pause_seconds
        self._failures = 0
        self._pauses = 0
        self._until: float | None = None
        self._probing = False
        self.last_error: EmbeddingError | None = None  # what the provider said, or did, last

    @property
    def state(self) -> Literal["closed", "open", "half_open"]:
        """Where it stands."""
        if self._until is None:
            return "closed"
        return "open" if time.monotonic() < self._until else "half_open"

    def health(self) -> dict[str, Any]:
        """Return the wire form."""
        if self._until is None or self.last_error is None:
            return {"circuit": self.state}
        return {
            "circuit": self.state,
            "code": str(self.last_error.code),
            "message": self.last_error.message,
            "seconds_until_retry": round(max(0.0, self._until - time.monotonic()), 3),
        }

    @contextmanager
    def request(self, *, shows_all: bool = False) -> Iterator[None]:
        """Let a request through, and learn from its end. Raises `CircuitOpen` instead.

        A provider may fail at one text alone: its fault counts if it `shows_all` fail, as a probe.
        """
        self._require_closed()
        self._probing = self._until is not None
        try:
            yield
        except EmbeddingError as error:
            if isinstance(error, EmbeddingFault) and not shows_all:
                pass
            elif error.retryable or isinstance(error, EmbeddingRefused):
                self._note_failure(error)
            else:  # it answers; what it says is about the request
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
        assert error is not None, "it was opened by one"
        refused = isinstance(error, EmbeddingRefused)
        raise CircuitOpen(
            f"The embedding provider is not asked for now. {error.message}",
            cast("EmbeddingErrorCode", error.code) if refused else "embedding_unavailable",
            retry_after_seconds=max(1.0, self._until - time.monotonic()),
        )

    def _note_failure(self, error: EmbeddingError) -> None:
        self._failures += 1
        self.last_error = error
        asked = error.retry_after_seconds or 0.0
        passes = self._failures < OPENS_AFTER and asked <= HEEDED_SECONDS
        if passes and self._until is None and not isinstance(error, EmbeddingRefused):
            return
        if self.state == "open":  # a request that was under way when it opened
            return
        ceiling = min(LONGEST_PAUSE_SECONDS, self._first_pause * 2.0**self._pauses)
        pause = max(min(asked, LONGEST_PAUSE_SECONDS), random.uniform(ceiling / 2, ceiling))  # noqa: S311 - jitter
        self._pauses += 1
        self._until = time.monotonic() + pause
        log.warning("embedding_circuit_open", code=error.code, seconds=round(pause, 1))

    def _close(self) -> None:
        if self._until is not None:
            log.info("embedding_circuit_closed")
        self._failures = self._pauses = 0
        self._until = self.last_error = None
