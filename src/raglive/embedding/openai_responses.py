"""Reads responses of an OpenAI-compatible provider: vectors, or the error that a status means."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import orjson

from raglive.embedding.embedder import (
    EmbeddingError,
    EmbeddingFault,
    EmbeddingRefused,
    Vectors,
    unit_vectors,
)
from raglive_contract.backoff import retry_after_seconds
from raglive_contract.errors import ErrorCode

__all__ = ["parse_response", "response_error"]

_TOO_LONG = re.compile(
    r"context.length|too long|too large|too many tokens|exceed|maximum.*tokens", re.I
)
_MESSAGE_CHARS = 200


def parse_response(
    content: bytes, count: int, dimensions: int | None, *, default_tokens: int
) -> tuple[Vectors, int]:
    """Return the vectors of a response to `count` texts, scaled to length 1, and the billed tokens.

    `default_tokens` is returned when the response does not report its usage. Raises
    `EmbeddingError` unless there are `count` vectors of `dimensions` finite numbers each.
    """
    try:
        answer = orjson.loads(content)  # parsed only once: it may be megabytes
        ordered = sorted(answer["data"], key=lambda item: item.get("index", 0))
        with np.errstate(over="ignore"):  # infinite numbers are refused below
            vectors = np.array([_vector(item["embedding"]) for item in ordered], dtype=np.float32)
    except (
        orjson.JSONDecodeError,
        binascii.Error,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
    ) as error:
        raise _invalid("it is not a list of embeddings") from error
    if len(vectors) != count:
        raise _invalid(f"it has {len(vectors)} embeddings for {count} texts")
    if vectors.ndim != 2 or vectors.shape[1] != (dimensions or vectors.shape[1]):
        raise _invalid(
            f"its embeddings have the shape {vectors.shape}, not {dimensions} numbers each"
        )
    try:
        return unit_vectors(vectors), _tokens(answer.get("usage"), default_tokens)
    except ValueError as error:
        raise _invalid(str(error)) from error


def _tokens(usage: Any, default: int) -> int:
    tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
    return tokens if isinstance(tokens, int) and 0 <= tokens < 2**40 else default


def response_error(response: httpx.Response, redact: Callable[[str], str]) -> EmbeddingError | None:
    """Return the error that a response means, None for status 200.

    `redact` removes secrets from the provider's own message.
    """
    status = response.status_code
    if status == 200:
        return None
    wait = retry_after_seconds(response.headers.get("retry-after"))
    if found := _REFUSALS.get(_code(response)) or _REFUSALS.get(status):
        code, why, advice = found
        return EmbeddingRefused(
            f"{why} (status {status}).", code, what_to_do=advice, retry_after_seconds=wait
        )
    if status in _MEANINGS:
        code, message = _MEANINGS[status]
        return EmbeddingError(f"{message} (status {status}).", code, retry_after_seconds=wait)
    reason = redact(_reason(response))
    if status >= 500:
        return _server_error(status, reason, wait)
    if status in {400, 413, 422} and (status == 413 or _TOO_LONG.search(reason)):
        message = f"A text is too long for the embedding model: {reason}"
        return EmbeddingError(message, ErrorCode.EMBEDDING_INPUT_TOO_LONG)
    message = f"The embedding provider refuses the request (status {status}): {reason}"
    return EmbeddingError(message, ErrorCode.EMBEDDING_REJECTED)


def _server_error(status: int, reason: str, wait: float | None) -> EmbeddingError:
    if status != 500:
        message = f"The embedding provider has an internal error (status {status})."
        return EmbeddingError(message, ErrorCode.EMBEDDING_UNAVAILABLE, retry_after_seconds=wait)
    said = f": {reason.rstrip('.')}" if reason else ""
    message = f"The embedding provider fails (status 500){said}."
    return EmbeddingFault(message, ErrorCode.EMBEDDING_UNAVAILABLE, retry_after_seconds=wait)


_Refusal = tuple[ErrorCode, str, str]  # code, cause, and advice
_KEY_REFUSED: _Refusal = (
    ErrorCode.EMBEDDING_REJECTED,
    "The embedding provider refuses the key",
    "Check EMBEDDING_API_KEY (or OPENAI_API_KEY), and that it may use the model.",
)
_NOT_FOUND: _Refusal = (
    ErrorCode.EMBEDDING_NOT_CONFIGURED,
    "The embedding provider knows no such model or address",
    "Check EMBEDDING_MODEL and EMBEDDING_BASE_URL.",
)
_MOVED: _Refusal = (
    ErrorCode.EMBEDDING_NOT_CONFIGURED,
    "The embedding provider has moved",
    "Set EMBEDDING_BASE_URL to its new address.",
)
_QUOTA_SPENT: _Refusal = (
    ErrorCode.EMBEDDING_QUOTA_SPENT,
    "The embedding account has no quota left",
    "Check its plan and billing, or set EMBEDDING_API_KEY to the key of another account.",
)
_REFUSALS: dict[int | str | None, _Refusal] = {
    **dict.fromkeys((401, 403), _KEY_REFUSED),
    **dict.fromkeys((404, 405, "model_not_found"), _NOT_FOUND),
    **dict.fromkeys((301, 302, 303, 307, 308), _MOVED),
    **dict.fromkeys((402, "insufficient_quota", "billing_hard_limit_reached"), _QUOTA_SPENT),
}
_MEANINGS: dict[int, tuple[ErrorCode, str]] = {
    408: (ErrorCode.EMBEDDING_TIMEOUT, "The embedding provider took too long"),
    425: (ErrorCode.EMBEDDING_UNAVAILABLE, "The embedding provider is not ready"),
    429: (ErrorCode.EMBEDDING_RATE_LIMITED, "The embedding provider's rate limit is used up"),
}


def _vector(embedding: Any) -> Any:
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
    return embedding


def _invalid(reason: str) -> EmbeddingError:
    message = f"The embedding provider's answer cannot be used: {reason}."
    return EmbeddingError(message, ErrorCode.EMBEDDING_INVALID_RESPONSE)


def _code(response: httpx.Response) -> str | None:
    """Return the provider's own error code, if the body has one."""
    try:
        code = orjson.loads(response.content)["error"]["code"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return code if isinstance(code, str) else None


def _reason(response: httpx.Response) -> str:
    """Return the provider's own message, shortened."""
    try:
        error = orjson.loads(response.content)["error"]
        words = error["message"] if isinstance(error, dict) else error
    except (orjson.JSONDecodeError, KeyError, TypeError):
        words = response.text
    return " ".join(str(words).split())[:_MESSAGE_CHARS]
