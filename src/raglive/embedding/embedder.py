"""What every embedder promises, and how it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from raglive_contract.errors import RagliveError

__all__ = [
    "PROBE",
    "Embedder",
    "EmbeddingError",
    "EmbeddingErrorCode",
    "EmbeddingFault",
    "EmbeddingRefused",
    "OnTokens",
    "Vectors",
    "unit_vectors",
]

Vectors = NDArray[np.float32]
PROBE = "raglive"
"""A text at which no provider fails that is up."""
OnTokens = Callable[[int], None]
"""Hears how many tokens a request was billed for."""

EmbeddingErrorCode = Literal[
    "embedding_rejected",
    "embedding_rate_limited",
    "embedding_unavailable",
    "embedding_timeout",
    "embedding_invalid_response",
    "embedding_input_too_long",
    "embedding_not_configured",
    "embedding_quota_spent",
    "embedding_text_failed",
]
_PASSING = {
    "embedding_rate_limited",
    "embedding_unavailable",
    "embedding_timeout",
    "embedding_invalid_response",
    "embedding_text_failed",
}


class EmbeddingError(RagliveError):
    """Texts were not embedded. The same texts may be tried again when `retryable`.

    `retry_after_seconds` is how long the provider asks to wait, None when it does not say.
    """

    code = "embedding_unavailable"

    def __init__(
        self,
        message: str,
        code: EmbeddingErrorCode,
        *,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(
            message,
            code=code,
            retryable=code in _PASSING,
            retry_after_ms=None if retry_after_seconds is None else int(retry_after_seconds * 1000),
        )
        self.retry_after_seconds = retry_after_seconds


class EmbeddingFault(EmbeddingError):
    """The provider failed inside, be it at all texts or only at those that it was sent."""


class EmbeddingRefused(EmbeddingError):
    """The provider refuses whatever it is sent: a setting is wrong, or the account is used up.

    The message says both `why` and `what_to_do`.
    """

    def __init__(
        self,
        why: str,
        code: EmbeddingErrorCode,
        *,
        what_to_do: str,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(f"{why} {what_to_do}", code, retry_after_seconds=retry_after_seconds)
        self.why = why
        self.what_to_do = what_to_do


class Embedder(Protocol):
    """Turns texts into vectors of `dimensions` numbers and length 1."""

    @property
    def provider(self) -> str:
        """Who computes the vectors: vectors of different providers or models do not compare."""

    @property
    def model(self) -> str:
        """The model's name, as its provider calls it."""

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has."""

    @property
    def is_paid(self) -> bool:
        """Whether a vector costs enough to be kept when the document cannot be stored yet."""

    @property
    def is_half_open(self) -> bool:
        """Whether the provider was down, and the next request decides whether it still is."""

    @property
    def trouble(self) -> EmbeddingError | None:
        """Why the provider is not asked for now; None while it is."""

    def health(self) -> dict[str, Any]:
        """Return how it is, for `GET /health`."""

    def batches(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Yield `texts` in order, in lists to embed at once. Raises `EmbeddingError`."""

    async def embed(self, texts: Sequence[str], on_tokens: OnTokens | None = None) -> Vectors:
        """Return one vector for each text, in order. Raises `EmbeddingError`."""

    async def close(self) -> None:
        """Let go of connections. May be called again."""


def unit_vectors(vectors: Vectors) -> Vectors:
    """Scale every vector to length 1. Raises ValueError for one that has no direction."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.all(np.isfinite(lengths)) or np.any(lengths == 0):
        raise ValueError("a vector is zero or not a number")
    return np.asarray(vectors / lengths, dtype=np.float32)
