"""The interface of every embedder, and the errors that it raises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = [
    "BYTES_PER_TOKEN",
    "PROBE",
    "Embedder",
    "EmbeddingError",
    "EmbeddingFault",
    "EmbeddingRefused",
    "ObserveRequest",
    "OnTokens",
    "Vectors",
    "estimated_tokens",
    "unit_vectors",
]

Vectors = NDArray[np.float32]
PROBE = "raglive"
"""A text that every healthy provider can embed."""
OnTokens = Callable[[int], None]
"""Called with the number of tokens that a request was billed for."""
ObserveRequest = Callable[[str, float, int], None]
"""Called with the outcome of a request (`ok` or an error code), its seconds and its tokens."""
BYTES_PER_TOKEN = 4
"""English text has more than four bytes to a token."""

_RETRYABLE = {
    ErrorCode.EMBEDDING_RATE_LIMITED,
    ErrorCode.EMBEDDING_UNAVAILABLE,
    ErrorCode.EMBEDDING_TIMEOUT,
    ErrorCode.EMBEDDING_INVALID_RESPONSE,
    ErrorCode.EMBEDDING_TEXT_FAILED,
}


class EmbeddingError(RagliveError):
    """Texts were not embedded. When `retryable`, the same texts may be tried again.

    `retry_after_seconds` is the pause that the provider asked for, None if it named none.
    """

    code = ErrorCode.EMBEDDING_UNAVAILABLE

    def __init__(
        self,
        message: str,
        code: ErrorCode,
        *,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(
            message,
            code=code,
            retryable=code in _RETRYABLE,
            retry_after_ms=None if retry_after_seconds is None else int(retry_after_seconds * 1000),
        )
        self.retry_after_seconds = retry_after_seconds


class EmbeddingFault(EmbeddingError):
    """The provider answered with an internal error, for every text or only for these."""


class EmbeddingRefused(EmbeddingError):
    """The provider refuses every request: a setting is wrong, or the account has no quota left.

    The message joins `why` and `what_to_do`.
    """

    def __init__(
        self,
        why: str,
        code: ErrorCode,
        *,
        what_to_do: str,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(f"{why} {what_to_do}", code, retry_after_seconds=retry_after_seconds)
        self.why = why
        self.what_to_do = what_to_do


class Embedder(Protocol):
    """Turns texts into unit vectors of `dimensions` numbers."""

    @property
    def provider(self) -> str:
        """The provider's name. Vectors of different providers or models cannot be compared."""

    @property
    def model(self) -> str:
        """The model's name at its provider."""

    @property
    def dimensions(self) -> int:
        """Numbers in each vector."""

    @property
    def is_paid(self) -> bool:
        """Whether vectors cost money, so that they are saved before their document is stored."""

    @property
    def is_half_open(self) -> bool:
        """Whether the circuit breaker waits for one request to decide if the provider recovered."""

    @property
    def trouble(self) -> EmbeddingError | None:
        """The error that opened the circuit breaker; None while it is closed."""

    def health(self) -> dict[str, Any]:
        """Return the fields that `GET /health` shows about the provider."""

    def batches(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Yield `texts` in order, in lists for one `embed` call each. Raises `EmbeddingError`."""

    async def embed(self, texts: Sequence[str], on_tokens: OnTokens | None = None) -> Vectors:
        """Return one vector for each text, in order. Raises `EmbeddingError`."""

    def observe_requests(self, observe: ObserveRequest) -> None:
        """Call `observe` after every request to the provider from now on."""

    async def close(self) -> None:
        """Close the connections. Idempotent."""


def estimated_tokens(texts: Sequence[str]) -> int:
    """Estimate the tokens that a provider will bill for `texts`, from their size in UTF-8."""
    return sum(len(text.encode()) for text in texts) // BYTES_PER_TOKEN


def unit_vectors(vectors: Vectors) -> Vectors:
    """Scale every vector to length 1. Raises ValueError for a zero or non-finite vector."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.all(np.isfinite(lengths)) or np.any(lengths == 0):
        raise ValueError("a vector is zero or not a number")
    return np.asarray(vectors / lengths, dtype=np.float32)
