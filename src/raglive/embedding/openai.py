"""Embeds through any server that implements OpenAI's `POST /v1/embeddings`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import numpy as np
import orjson
import structlog

from raglive.embedding.circuit_breaker import CircuitBreaker, CircuitOpen
from raglive.embedding.embedder import (
    PROBE,
    EmbeddingError,
    EmbeddingFault,
    ObserveRequest,
    OnTokens,
    Vectors,
    estimated_tokens,
)
from raglive.embedding.openai_batches import batches
from raglive.embedding.openai_responses import parse_response, response_error
from raglive_contract.backoff import Backoff
from raglive_contract.errors import ErrorCode

__all__ = ["DEFAULT_MODEL", "OPENAI_URL", "OpenAIEmbedder"]

OPENAI_URL = "https://api.openai.com/v1"
DEFAULT_MODEL = "text-embedding-3-small"

TRIES = 3
RETRY_BACKOFF = Backoff(first_seconds=1.0, longest_seconds=5.0)
CONNECT_TIMEOUT_SECONDS = 10.0

log = structlog.get_logger()


class OpenAIEmbedder:
    """Sends texts to a provider in batches within its limits. Create it with `connect`.

    Errors that are likely to pass within seconds are retried here, others by the caller.
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
        backoff: Backoff = RETRY_BACKOFF,
        circuit: CircuitBreaker | None = None,
    ) -> None:
        self.model = model
        self._api_key = api_key
        self._ask_dimensions = ask_dimensions
        self._dimensions = ask_dimensions
        self._timeout_seconds = timeout_seconds
        self._backoff = backoff
        self._address = _embeddings_url(base_url or OPENAI_URL)
        self._request_slots = asyncio.Semaphore(concurrent_requests)
        self._circuit = circuit or CircuitBreaker()
        self._observe: ObserveRequest = _ignore_request
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        timeout = httpx.Timeout(timeout_seconds, connect=CONNECT_TIMEOUT_SECONDS)
        self._client = httpx.AsyncClient(headers=headers, timeout=timeout)

    @classmethod
    async def connect(cls, model: str, *, dimensions: int | None = None, **options: Any) -> Self:
        """Return an embedder that knows its dimensions, if need be from a probe request.

        `options` go to the constructor. Raises `EmbeddingError`.
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
        """Numbers in each vector. Raises RuntimeError before `connect` has determined them."""
        if self._dimensions is None:
            raise RuntimeError("the embedder is not connected")
        return self._dimensions

    @property
    def is_half_open(self) -> bool:
        """Whether the circuit breaker waits for one request to decide if the provider recovered."""
        return self._circuit.state == "half_open"

    @property
    def trouble(self) -> EmbeddingError | None:
        """The error that opened the circuit breaker; None while it is closed."""
        return None if self._circuit.state == "closed" else self._circuit.last_error

    def health(self) -> dict[str, Any]:
        """Return provider, model and the state of the circuit breaker."""
        return {"provider": self.provider, "model": self.model, **self._circuit.health()}

    def batches(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Yield `texts` in order, one list for each request."""
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
            raise _most_serious(errors) from errors
        return np.concatenate([task.result() for task in tasks])

    def observe_requests(self, observe: ObserveRequest) -> None:
        """Call `observe` after every request to the provider from now on."""
        self._observe = observe

    async def close(self) -> None:
        """Close the connections. Idempotent."""
        await self._client.aclose()

    async def _embed_batch(self, texts: list[str], on_tokens: OnTokens | None) -> Vectors:
        """Embed the texts of one request, retrying after a short pause where that may help."""
        is_general = False
        async with self._request_slots:
            for attempt in range(1, TRIES + 1):
                try:
                    with self._circuit.request(is_general=is_general or texts == [PROBE]):
                        return await self._request(texts, on_tokens)
                except CircuitOpen:
                    raise
                except EmbeddingError as error:
                    is_general = is_general or await self._fails_in_general(error, texts)
                    wait = self._wait_before_retry(error, attempt)
                    if wait is None:
                        if is_general:
                            raise
                        raise _text_failed(error) from error
                    log.info("embedding_retry", code=error.code, attempt=attempt, wait_seconds=wait)
                    await asyncio.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    async def _fails_in_general(self, error: EmbeddingError, texts: list[str]) -> bool:
        """Find out with a probe request whether the provider also fails for another text."""
        if not isinstance(error, EmbeddingFault) or texts == [PROBE]:
            return True
        try:
            with self._circuit.request(is_general=True):
                await self._request([PROBE], None)
        except EmbeddingError:
            return True
        return False

    def _wait_before_retry(self, error: EmbeddingError, attempt: int) -> float | None:
        asked = error.retry_after_seconds or 0.0
        if not error.retryable or attempt == TRIES or asked > self._backoff.longest_seconds:
            return None
        if self._circuit.state != "closed":
            return None
        return self._backoff.seconds(attempt - 1, asked)

    async def _request(self, texts: list[str], on_tokens: OnTokens | None) -> Vectors:
        started = time.perf_counter()
        try:
            vectors, tokens = await self._vectors(texts)
        except EmbeddingError as error:
            self._observe(error.code, time.perf_counter() - started, 0)
            raise
        self._observe("ok", time.perf_counter() - started, tokens)
        if on_tokens:
            on_tokens(tokens)
        return vectors

    async def _vectors(self, texts: list[str]) -> tuple[Vectors, int]:
        body: dict[str, Any] = {"model": self.model, "input": texts, "encoding_format": "float"}
        if self._ask_dimensions:
            body["dimensions"] = self._ask_dimensions
        response = await self._post(orjson.dumps(body))
        error = response_error(response, self._redact)
        if error:
            raise error
        return await asyncio.to_thread(_read_response, response.content, texts, self._dimensions)

    async def _post(self, content: bytes) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        try:
            async with asyncio.timeout(
                self._timeout_seconds
            ):  # httpx limits each read, not the whole
                return await self._client.post(self._address, content=content, headers=headers)
        except (TimeoutError, httpx.TimeoutException) as error:
            message = f"The embedding provider did not answer within {self._timeout_seconds:g} s."
            raise EmbeddingError(message, ErrorCode.EMBEDDING_TIMEOUT) from error
        except httpx.HTTPError as error:
            message = f"The embedding provider cannot be reached ({type(error).__name__})."
            raise EmbeddingError(message, ErrorCode.EMBEDDING_UNAVAILABLE) from error

    def _redact(self, text: str) -> str:
        return text.replace(self._api_key, "***") if self._api_key else text


def _ignore_request(_outcome: str, _seconds: float, _tokens: int) -> None:
    """Observe nothing."""


def _embeddings_url(base_url: str) -> str:
    address = base_url.strip().rstrip("/")
    try:
        parts = urlsplit(address)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        message = (
            "EMBEDDING_BASE_URL must be the address of a server, such as http://127.0.0.1:11434/v1."
        )
        raise EmbeddingError(message, ErrorCode.EMBEDDING_NOT_CONFIGURED)
    if parts.path.endswith("/embeddings"):
        return address
    return f"{address}/embeddings" if parts.path else f"{address}/v1/embeddings"


def _read_response(content: bytes, texts: list[str], dimensions: int | None) -> tuple[Vectors, int]:
    default = estimated_tokens(texts)
    return parse_response(content, len(texts), dimensions, default_tokens=default)


def _text_failed(error: EmbeddingError) -> EmbeddingError:
    message = f"{error.message} It embeds other texts."
    return EmbeddingError(message, ErrorCode.EMBEDDING_TEXT_FAILED)


def _most_serious(errors: ExceptionGroup[Exception]) -> Exception:
    """Return the error to report: one that no retry can fix comes before a retryable one."""
    found = [error for error in errors.exceptions if isinstance(error, EmbeddingError)]
    return min(found, key=lambda error: error.retryable, default=errors.exceptions[0])
