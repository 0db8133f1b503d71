from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from raglive.embedding import EmbeddingConfig, EmbeddingError, builtin, create_embedder, providers

EXAMPLES = Path(__file__).parents[3] / "examples" / "documents"


async def test_vectors_of_like_texts_are_alike() -> None:
    embedder = await create_embedder(EmbeddingConfig())
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
    embedder = await create_embedder(EmbeddingConfig())
    texts = [f"text number {i} " * (i % 7) + "\u200b" for i in range(300)] + ["", " ", "\U0001f600"]
    vectors = await embedder.embed(texts)
    assert vectors.shape == (303, 256)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alone = np.concatenate([await embedder.embed([text]) for text in texts[:20]])
    assert np.allclose(vectors[:20], alone, atol=1e-6)
    assert (await embedder.embed([])).shape == (0, 256)


async def test_words_are_cut_where_no_token_lies() -> None:
    """Tokens of words met before, put together, are those of the whole text."""
    whole = Tokenizer.from_file(str(builtin._model_folder() / builtin._VOCABULARY))
    special = {token.content for token in whole.get_added_tokens_decoder().values()}
    embedder = await builtin.BuiltinEmbedder.load()

    @settings(max_examples=300)
    @given(st.lists(st.text() | st.text(alphabet="ab. \n\t\r\u2581\u00a0<s>/é中", max_size=60)))
    def check(texts: list[str]) -> None:
        texts = [text for text in texts if not any(token in text for token in special)]
        expected = [whole.encode(text, add_special_tokens=False).ids for text in texts]
        assert list(embedder._tokens(texts)) == expected

    check()
    for path in EXAMPLES.rglob("*.md"):
        check.hypothesis.inner_test([path.read_text("utf-8")])  # type: ignore[attr-defined]


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
        await create_embedder(EmbeddingConfig(provider, model))
    assert (caught.value.code, caught.value.retryable) == ("embedding_not_configured", False)


async def test_a_platform_without_the_model_says_what_to_configure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(providers, "find_spec", lambda _name: None)
    with pytest.raises(EmbeddingError, match="EMBEDDING_PROVIDER=openai") as caught:
        await create_embedder(EmbeddingConfig())
    assert caught.value.code == "embedding_not_configured"


def test_an_unused_provider_is_not_loaded() -> None:
    program = (
        "import sys, raglive.embedding;"
        "print({'tokenizers', 'wordllama', 'httpx', 'torch'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "set()"
