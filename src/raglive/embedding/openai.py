"""Any server that answers `POST /v1/embeddings` as OpenAI's does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import numpy as np
import orjson
import structlog

from raglive.embedding.batches import BYTES_PER_TOKEN, batches
from raglive.embedding.circuit_breaker import Circuit, CircuitOpen
from raglive.embedding.embedder import (
    PROBE,
    EmbeddingError,
    EmbeddingFault,
    OnTokens,
    Vectors,
)
from raglive.embedding.openai_answers import parse_answer, refusal

__all__ = ["DEFAULT_MODEL", "OPENAI_URL", "OpenAIEmbedder"]

OPENAI_URL = "https://api.openai.com/v1"
DEFAULT_MODEL = "text-embedding-3-small"

_TRIES = 3
_LONGEST_WAIT_SECONDS = 5.0
_FIRST_WAIT_SECONDS = 0.5
_CONNECT_SECONDS = 10.0

log = structlog.get_logger()


class OpenAIEmbedder:
    """Sends texts to a provider, in batches within its limits. `connect` makes one.

    What passes within a few seconds is tried again here; the rest is the caller's to retry.
    """

    provider = "openai"
    is_paid = True

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        ask_dimensions: int | None = None,
        timeout_seconds: float = 60.0,
        concurrent_requests: int = 4,
        first_wait_seconds: float = _FIRST_WAIT_SECONDS,
        circuit: Circuit | None = None,
    ) -> None:
        self.model = model
        self._api_key = api_key
        self._ask_dimensions = ask_dimensions
        self._dimensions = ask_dimensions
        self._timeout_seconds = timeout_seconds
        self._first_wait_seconds = first_wait_seconds
        self._address = _embeddings_url(base_url or OPENAI_URL)
        self._places = asyncio.Semaphore(concurrent_requests)
        self._circuit = circuit or Circuit()
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        timeout = httpx.Timeout(timeout_seconds, connect=_CONNECT_SECONDS)
        self._client = httpx.AsyncClient(headers=headers, timeout=timeout)

    @classmethod
    async def connect(cls, model: str, *, dimensions: int | None = None, **options: Any) -> Self:
        """Return an embedder whose dimensions are known: `dimensions`, or what a probe says.

        `options` are those of the constructor. Raises `EmbeddingError`.
        """
        embedder = cls(model, **options)
        try:
            embedder._dimensions = dimensions or (await embedder.embed([PROBE])).shape[1]
        except BaseException:
            await embedder.close()
            raise
        return embedder

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has. Raises RuntimeError before `connect` has found out."""
        if self._dimensions is None:
            raise RuntimeError("the embedder is not connected")
        return self._dimensions

    @property
    def is_half_open(self) -> bool:
        """Whether the provider was down, and the next request decides whether it still is."""
        return self._circuit.state == "half_open"

    @property
    def trouble(self) -> EmbeddingError | None:
        """Why the provider is not asked for now; None while it is."""
        return None if self._circuit.state == "closed" else self._circuit.last_error

    def health(self) -> dict[str, Any]:
        """Return who embeds, and how the circuit to it stands."""
        return {"provider": self.provider, "model": self.model, **self._circuit.health()}

    def batches(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Yield `texts` in order, as many at a time as a request may hold."""
        return batches(texts)

    async def embed(self, texts: Sequence[str], on_tokens: OnTokens | None = None) -> Vectors:
        """Return one vector for each text, in order. Raises `EmbeddingError`."""
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        work = list(batches(texts))
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._embed_batch(batch, on_tokens)) for batch in work]
        except ExceptionGroup as errors:
            raise _first(errors) from errors
        return np.concatenate([task.result() for task in tasks])

    async def close(self) -> None:
        """Close the connections. May be called again."""
        await self._client.aclose()

    async def _embed_batch(self, texts: list[str], on_tokens: OnTokens | None) -> Vectors:
        """Embed one request's worth, again after a short wait when that may help."""
        fails_others = False
        async with self._places:
            for attempt in range(1, _TRIES + 1):
                try:
                    with self._circuit.request(shows_all=fails_others or texts == [PROBE]):
                        return await self._request(texts, on_tokens)
                except CircuitOpen:
                    raise
                except EmbeddingError as error:
                    fails_others = fails_others or await self._fails_others(error, texts)
                    wait = self._wait_before_retry(error, attempt)
                    if wait is None:
                        if fails_others:
                            raise
                        raise _of_text(error) from error
                    log.info("embedding_retry", code=error.code, attempt=attempt, wait_seconds=wait)
                    await asyncio.sleep(wait)
        raise AssertionError("the last try either returns or raises")

    async def _fails_others(self, error: EmbeddingError, texts: list[str]) -> bool:
        """Say whether the provider fails not only at these texts, by sending it another."""
        if not isinstance(error, EmbeddingFault) or texts == [PROBE]:
            return True
        try:
            with self._circuit.request(shows_all=True):
                await self._request([PROBE], None)
        except EmbeddingError:
            return True
        return False

    def _wait_before_retry(self, error: EmbeddingError, attempt: int) -> float | None:
        asked = error.retry_after_seconds or 0.0
        if not error.retryable or attempt == _TRIES or asked > _LONGEST_WAIT_SECONDS:
            return None
        if self._circuit.state != "closed":
            return None
        backoff = self._first_wait_seconds * 2 ** (attempt - 1)
        jitter = random.uniform(0, backoff)  # noqa: S311 - no secret
        return float(max(asked, backoff) + jitter)

    async def _request(self, texts: list[str], on_tokens: OnTokens | None) -> Vectors:
        body: dict[str, Any] = {"model": self.model, "input": texts, "encoding_format": "float"}
        if self._ask_dimensions:
            body["dimensions"] = self._ask_dimensions
        response = await self._post(orjson.dumps(body))
        error = refusal(response, self._conceal)
        if error:
            raise error
        vectors, tokens = await asyncio.to_thread(
            _read_answer, response.content, texts, self._dimensions
        )
        if on_tokens:
            on_tokens(tokens)
        return vectors

    async def _post(self, content: bytes) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        try:
            async with asyncio.timeout(self._timeout_seconds):  # httpx limits each read, not all
                return await self._client.post(self._address, content=content, headers=headers)
        except (TimeoutError, httpx.TimeoutException) as error:
            message = f"The embedding provider did not answer within {self._timeout_seconds:g} s."
            raise EmbeddingError(message, "embedding_timeout") from error
        except httpx.HTTPError as error:
            message = f"The embedding provider cannot be reached ({type(error).__name__})."
            raise EmbeddingError(message, "embedding_unavailable") from error

    def _conceal(self, text: str) -> str:
        return text.replace(self._api_key, "***") if self._api_key else text


def _embeddings_url(base_url: str) -> str:
    address = base_url.strip().rstrip("/")
    try:
        parts = urlsplit(address)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        message = "EMBEDDING_BASE_URL is no address of a server, such as http://127.0.0.1:11434/v1."
        raise EmbeddingError(message, "embedding_not_configured")
    if parts.path.endswith("/embeddings"):
        return address
    return f"{address}/embeddings" if parts.path else f"{address}/v1/embeddings"


def _read_answer(content: bytes, texts: list[str], dimensions: int | None) -> tuple[Vectors, int]:
    guess = sum(len(text.encode()) for text in texts) // BYTES_PER_TOKEN
    return parse_answer(content, len(texts), dimensions, tokens_otherwise=guess)


def _of_text(error: EmbeddingError) -> EmbeddingError:
    message = f"{error.message} It embeds other texts."
    return EmbeddingError(message, "embedding_text_failed")


def _first(errors: ExceptionGroup[Exception]) -> Exception:
    """The error to tell of several: one that no retry heals comes before one that passes."""
    found = [error for error in errors.exceptions if isinstance(error, EmbeddingError)]
    return min(found, key=lambda error: error.retryable, default=errors.exceptions[0])
