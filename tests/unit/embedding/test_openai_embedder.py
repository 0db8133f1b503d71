from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from raglive.embedding import (
    PROBE,
    EmbeddingConfig,
    EmbeddingError,
    EmbeddingRefused,
    create_embedder,
)
from raglive.embedding.circuit_breaker import OPENS_AFTER, CircuitBreaker, CircuitOpen
from raglive.embedding.openai import OpenAIEmbedder
from raglive.embedding.openai_batches import batches
from raglive.store.index.vector_space import VectorSpace
from raglive_contract.backoff import Backoff

KEY = "sk-very-secret"
IMPATIENT = Backoff(first_seconds=0.002, longest_seconds=5)
CLOSING = web.AppKey("closing", asyncio.Event)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def vector(text: str) -> list[float]:
    return [float(len(text)), 3.0, 4.0]


def embeddings(vectors: list[Any]) -> web.Response:
    data = [{"index": i, "embedding": v} for i, v in enumerate(vectors)]
    return web.json_response({"data": data[::-1]})  # in any order


class Provider:
    """A real HTTP server with scripted answers, and valid ones after these."""

    def __init__(self) -> None:
        self.answers: list[Answer | web.StreamResponse] = []
        self.requests: list[dict[str, Any]] = []
        self.most_at_once = 0
        self.url = ""
        self._at_once = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            body = orjson.loads(await request.read())
            self.requests.append({**body, "authorization": request.headers.get("Authorization")})
            answer = self.answers.pop(0) if self.answers else None
            if isinstance(answer, web.StreamResponse):
                return answer
            if answer is not None:
                return await answer(request)
            await asyncio.sleep(0)
            return embeddings([vector(text) for text in body["input"]])
        finally:
            self._at_once -= 1

    def embedder(self, **options: Any) -> OpenAIEmbedder:
        return OpenAIEmbedder(
            "model-a", api_key=KEY, base_url=self.url, backoff=IMPATIENT, **options
        )


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    made = Provider()
    app = web.Application(client_max_size=64 << 20)
    app[CLOSING] = asyncio.Event()
    app.router.add_post("/v1/embeddings", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield made
    app[CLOSING].set()
    await runner.cleanup()


async def test_texts_become_vectors_of_length_one_in_order(provider: Provider) -> None:
    embedder = await create_embedder(
        EmbeddingConfig("openai", "model-a", api_key=KEY, base_url=provider.url)
    )
    assert embedder.dimensions == 3
    texts = ["x" * i for i in range(1, 6)]
    vectors = await embedder.embed(texts)
    expected = np.array([vector(text) for text in texts], dtype=np.float32)
    assert np.allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True))
    assert vectors.dtype == np.float32
    assert provider.requests[-1]["model"] == "model-a"
    assert provider.requests[-1]["authorization"] == f"Bearer {KEY}"
    assert (await embedder.embed([])).shape == (0, 3)
    await embedder.close()
    await embedder.close()


async def test_dimensions_are_asked_for_or_known_without_a_probe(provider: Provider) -> None:
    embedder = await create_embedder(
        EmbeddingConfig("openai", "m", base_url=provider.url.removesuffix("/v1")),
        known=VectorSpace("openai", "m", 3),
    )
    assert provider.requests == []
    await embedder.embed(["text"])
    assert provider.requests[-1]["authorization"] is None
    assert "dimensions" not in provider.requests[-1]
    await embedder.close()
    shorter = provider.embedder(ask_dimensions=2)
    with pytest.raises(EmbeddingError, match="not 2 numbers each"):
        await shorter.embed(["text"])
    assert provider.requests[-1]["dimensions"] == 2
    await shorter.close()


async def test_many_texts_go_in_batches_a_few_at_a_time(provider: Provider) -> None:
    embedder = provider.embedder(ask_dimensions=3)
    texts = ["y" * 1_000] * 3_000
    assert (await embedder.embed(texts)).shape == (3_000, 3)
    assert [len(request["input"]) for request in provider.requests] == [300] * 10
    assert 1 < provider.most_at_once <= 4
    await embedder.close()


async def test_vectors_in_base64_are_understood(provider: Provider) -> None:
    packed = base64.b64encode(np.array([0, 3, 4], dtype="<f4").tobytes()).decode()
    provider.answers = [embeddings([packed])]
    embedder = provider.embedder()
    assert np.allclose(await embedder.embed(["text"]), [[0, 0.6, 0.8]])
    await embedder.close()


def error(
    status: int, message: str = "no", code: str | None = None, **headers: str
) -> web.Response:
    body = {"message": message, "type": code, "code": code}
    return web.json_response({"error": body}, status=status, headers=headers)


LASTING = [
    (error(401, f"Incorrect API key provided: {KEY}"), "embedding_rejected", "EMBEDDING_API_KEY"),
    (error(403), "embedding_rejected", "EMBEDDING_API_KEY"),
    (error(404), "embedding_not_configured", "EMBEDDING_MODEL"),
    (error(308, Location="http://127.0.0.1:9/"), "embedding_not_configured", "has moved"),
    (error(400, f"bad parameter, key {KEY}"), "embedding_rejected", r"bad parameter, key \*\*\*"),
    (error(400, "maximum context length is 8192"), "embedding_input_too_long", "too long"),
    (error(413), "embedding_input_too_long", "too long"),
    (error(429, code="insufficient_quota"), "embedding_quota_spent", "plan and billing"),
    (error(400, code="model_not_found"), "embedding_not_configured", "EMBEDDING_MODEL"),
]


@pytest.mark.parametrize(("answer", "code", "message"), LASTING)
async def test_permanent_failures_are_not_retried(
    provider: Provider, answer: web.Response, code: str, message: str
) -> None:
    provider.answers = [answer]
    embedder = provider.embedder(ask_dimensions=3)
    with pytest.raises(EmbeddingError, match=message) as caught:
        await embedder.embed(["text"])
    assert (caught.value.code, caught.value.retryable) == (code, False)
    assert KEY not in str(caught.value)
    assert len(provider.requests) == 1
    if isinstance(caught.value, EmbeddingRefused):
        with pytest.raises(CircuitOpen, match=message) as held:
            await embedder.embed(["text"])
        assert held.value.code == code
    else:  # the error concerns only this text
        assert len(await embedder.embed(["another"])) == 1
    await embedder.close()


def wrong(*vectors: Any) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return embeddings(list(vectors))

    return answer


def body(text: str, status: int = 200) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=text, status=status)

    return answer


async def cut_connection(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def never(request: web.Request) -> web.StreamResponse:
    await request.app[CLOSING].wait()
    return web.Response()


PASSING = [
    (body("<html>Bad gateway</html>", 502), "embedding_unavailable"),
    (body("", 503), "embedding_unavailable"),
    (body("", 408), "embedding_timeout"),
    (body("", 429), "embedding_rate_limited"),
    (cut_connection, "embedding_unavailable"),
    (never, "embedding_timeout"),
    (body("<html>Welcome</html>"), "embedding_invalid_response"),
    (body('{"data": null}'), "embedding_invalid_response"),
    (body('{"data": [{"embedding": [NaN, 1, 2]}]}'), "embedding_invalid_response"),
    (body("[1, 2"), "embedding_invalid_response"),
    (wrong(), "embedding_invalid_response"),
    (wrong([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]), "embedding_invalid_response"),
    (wrong([1.0, 2.0]), "embedding_invalid_response"),
    (wrong([0.0, 0.0, 0.0]), "embedding_invalid_response"),
    (wrong([1e39, 1.0, 1.0]), "embedding_invalid_response"),
    (wrong(["a", "b", "c"]), "embedding_invalid_response"),
    (wrong([[1.0], [2.0], [3.0]]), "embedding_invalid_response"),
    (wrong("not base64!"), "embedding_invalid_response"),
]


@pytest.mark.parametrize(("answer", "code"), PASSING)
async def test_transient_errors_are_retried_and_then_raised(
    provider: Provider, answer: Answer, code: str
) -> None:
    provider.answers = [answer, answer]
    timeout_seconds = 1.0 if answer is never else 30.0
    embedder = provider.embedder(ask_dimensions=3, timeout_seconds=timeout_seconds)
    assert (await embedder.embed(["text"])).shape == (1, 3)
    assert len(provider.requests) == 3

    provider.answers = [answer] * 3
    with pytest.raises(EmbeddingError) as caught:
        await embedder.embed(["text"])
    assert (caught.value.code, caught.value.retryable) == (code, True)
    assert len(provider.requests) == 6
    await embedder.close()


async def test_a_failing_text_is_distinguished_from_a_failing_provider(
    provider: Provider,
) -> None:
    async def failed(_: web.Request) -> web.StreamResponse:
        return error(500, f"NaN for {KEY}")

    async def fine(_: web.Request) -> web.StreamResponse:
        return embeddings([vector(PROBE)])

    provider.answers = [failed, fine] * 3
    embedder = provider.embedder(ask_dimensions=3)
    with pytest.raises(EmbeddingError, match=r"NaN for \*\*\*\. It embeds other") as caught:
        await embedder.embed(["poison"])
    assert (caught.value.code, caught.value.retryable) == ("embedding_text_failed", True)
    assert [request["input"] for request in provider.requests] == [["poison"], [PROBE]] * 3
    assert embedder.health()["circuit"] == "closed"

    provider.answers = [failed, fine, failed, body("", 500), failed, fine]
    with pytest.raises(EmbeddingError) as caught:
        await embedder.embed(["glitch"])
    assert caught.value.code == "embedding_unavailable"

    provider.answers = [failed for _ in range(2 * OPENS_AFTER)]
    for _ in range(2):
        with pytest.raises(EmbeddingError):
            await embedder.embed(["text"])
    assert embedder.health()["circuit"] == "open"
    await embedder.close()


async def test_a_long_pause_is_raised_to_the_caller(provider: Provider) -> None:
    provider.answers = [error(429, **{"Retry-After": "120"})]
    embedder = provider.embedder(ask_dimensions=3)
    with pytest.raises(EmbeddingError) as caught:
        await embedder.embed(["text"])
    assert (caught.value.retry_after_seconds, caught.value.retry_after_ms) == (120, 120_000)
    with pytest.raises(CircuitOpen, match="rate limit") as held:
        await embedder.embed(["text"])
    assert 119 < (held.value.retry_after_seconds or 0) <= 120
    assert len(provider.requests) == 1
    assert embedder.health()["circuit"] == "open"
    await embedder.close()


async def test_a_provider_that_is_down_is_probed_rarely_and_one_request_detects_its_recovery(
    provider: Provider,
) -> None:
    provider.answers = [body("", 503)] * 7
    embedder = provider.embedder(ask_dimensions=3, circuit=CircuitBreaker(first_pause_seconds=0.2))
    for _ in range(10):
        with pytest.raises(EmbeddingError):
            await embedder.embed(["text"])
    assert len(provider.requests) == OPENS_AFTER
    assert embedder.trouble is not None
    async with asyncio.timeout(20):
        while embedder.trouble is not None:
            while not embedder.is_half_open:
                await asyncio.sleep(0.01)
            at_once = (embedder.embed(["text"]) for _ in range(3))
            await asyncio.gather(*at_once, return_exceptions=True)
    # the two that were left to fail, and the one that did not, each alone
    assert len(provider.requests) == OPENS_AFTER + 3
    assert embedder.health() == {"provider": "openai", "model": "model-a", "circuit": "closed"}
    await embedder.close()


async def test_a_permanent_error_of_one_batch_is_reported_before_a_transient_one(
    provider: Provider,
) -> None:
    provider.answers = [error(429, **{"Retry-After": "60"}), error(401)]
    embedder = provider.embedder(ask_dimensions=3)
    with pytest.raises(EmbeddingError) as caught:
        await embedder.embed(["z" * 30_000] * 20)
    assert caught.value.code in {"embedding_rejected", "embedding_rate_limited"}
    await embedder.close()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1:1/v1", "embedding_unavailable"),
        ("not an address", "embedding_not_configured"),
        ("ftp://127.0.0.1/v1", "embedding_not_configured"),
        ("http://[broken/v1", "embedding_not_configured"),
    ],
)
async def test_a_wrong_address_is_an_error_at_the_start(url: str, code: str) -> None:
    with pytest.raises(EmbeddingError) as caught:
        await OpenAIEmbedder.connect("m", api_key=KEY, base_url=url, backoff=IMPATIENT)
    assert caught.value.code == code


async def test_the_key_is_in_no_log(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    provider.answers = [*(error(500, KEY) for _ in range(3)), error(400, KEY)]
    embedder = provider.embedder(ask_dimensions=3)
    with capture_logs() as logs, pytest.raises(EmbeddingError):
        await embedder.embed(["text"])
    assert len(logs) == 2
    assert KEY not in f"{logs} {embedder!r}"
    assert not any(KEY in r.getMessage() for r in caplog.records if r.name.startswith("httpx"))
    await embedder.close()


@given(st.lists(st.text(max_size=9_000), max_size=60))
def test_batches_keep_order_and_limits(texts: list[str]) -> None:
    made = list(batches(texts))
    assert [text for batch in made for text in batch] == texts
    assert all(0 < len(batch) <= 2_048 for batch in made)
    assert all(sum(len(t.encode()) for t in batch) <= 300_000 for batch in made)


def test_a_batch_holds_at_most_2048_texts_and_none_that_is_too_long() -> None:
    assert [len(batch) for batch in batches(["a"] * 5_000)] == [2_048, 2_048, 904]
    with pytest.raises(EmbeddingError, match="too long") as caught:
        list(batches(["word " * 10_000]))
    assert caught.value.code == "embedding_input_too_long"
