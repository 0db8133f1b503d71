from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from raglive.pipeline.embedding import EmbeddingError, create_embedder, factory


async def test_vectors_of_like_texts_are_alike() -> None:
    embedder = await create_embedder("builtin")
    assert (embedder.provider, embedder.dimensions) == ("builtin", 256)
    question = await embedder.embed(["How cold is the sea in winter?"])
    texts = [
        "Invoices are due in thirty days.",
        "The ocean temperature drops to four degrees in January.",
        "My favourite soup is tomato.",
    ]
    vectors = await embedder.embed(texts)
    assert vectors.dtype == np.float32
    assert int(np.argmax(vectors @ question[0])) == 1
    await embedder.close()
    await embedder.close()


async def test_vectors_are_of_length_one_in_order_and_repeatable() -> None:
    embedder = await create_embedder("builtin")
    texts = [f"text number {i} " * (i % 7) + "\u200b" for i in range(300)] + ["", " ", "\U0001f600"]
    vectors = await embedder.embed(texts)
    assert vectors.shape == (303, 256)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alone = np.concatenate([await embedder.embed([text]) for text in texts[:20]])
    assert np.allclose(vectors[:20], alone, atol=1e-6)
    assert (await embedder.embed([])).shape == (0, 256)


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("builtin", "text-embedding-3-small", "built-in provider has"),
        ("cohere", None, "'builtin' or 'openai'"),
        ("openai", "some-model", "Set EMBEDDING_API_KEY"),
    ],
)
async def test_a_wrong_configuration_says_what_to_set(
    provider: str, model: str | None, expected: str
) -> None:
    with pytest.raises(EmbeddingError, match=expected) as caught:
        await create_embedder(provider, model)
    assert (caught.value.code, caught.value.retryable) == ("embedding_not_configured", False)


async def test_a_platform_without_the_model_says_what_to_configure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(factory, "find_spec", lambda _name: None)
    with pytest.raises(EmbeddingError, match="EMBEDDING_PROVIDER=openai") as caught:
        await create_embedder("builtin")
    assert caught.value.code == "embedding_not_configured"


def test_who_does_not_use_a_provider_does_not_load_it() -> None:
    program = (
        "import sys, raglive.pipeline.embedding;"
        "print({'tokenizers', 'wordllama', 'httpx', 'torch'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "set()"
