"""From the configuration's words to an embedder."""

from __future__ import annotations

import platform
import sys
from importlib.util import find_spec

from raglive.embedding.embedder import Embedder, EmbeddingError
from raglive.store.index.model_source import DEFAULT_SOURCE, ModelSource
from raglive.store.index.vector_space import VectorSpace

__all__ = ["create_embedder"]


async def create_embedder(
    provider: str,
    model: str | None = None,
    *,
    api_key: str | None = None,
    base_url: str | None = None,
    ask_dimensions: int | None = None,
    known: VectorSpace | None = None,
    known_source: ModelSource = DEFAULT_SOURCE,
    concurrent_requests: int = 4,
    timeout_seconds: float = 60.0,
) -> Embedder:
    """Return an embedder that is ready.

    `ask_dimensions` asks the provider for shorter vectors than the model's own. When the model is
    that of `known`, the index's space, the provider is not asked at the start, and asked for what
    `known_source` says, unless `ask_dimensions` does.
    Raises `EmbeddingError`.
    """
    if provider == "builtin":
        return await _load_builtin(model)
    if provider != "openai":
        message = f"EMBEDDING_PROVIDER is {provider!r}; it may be 'builtin' or 'openai'."
        raise EmbeddingError(message, "embedding_not_configured")
    if not api_key and not base_url:
        message = "Set EMBEDDING_API_KEY for OpenAI, or EMBEDDING_BASE_URL for another provider."
        raise EmbeddingError(message, "embedding_not_configured")
    # Each provider's libraries take their time to load: only who uses one pays for it.
    from raglive.embedding.openai import (  # noqa: PLC0415
        DEFAULT_MODEL,
        OpenAIEmbedder,
    )

    model = model or DEFAULT_MODEL
    is_known = known is not None and (known.provider, known.model) == (provider, model)
    if is_known and ask_dimensions is None:
        ask_dimensions = known_source.asked_dimensions
    return await OpenAIEmbedder.connect(
        model,
        dimensions=ask_dimensions or (known.dimensions if known and is_known else None),
        api_key=api_key,
        base_url=base_url,
        ask_dimensions=ask_dimensions,
        concurrent_requests=concurrent_requests,
        timeout_seconds=timeout_seconds,
    )


async def _load_builtin(model: str | None) -> Embedder:
    if not (find_spec("wordllama") and find_spec("tokenizers")):
        raise _not_built_here()
    from raglive.embedding.builtin import MODEL, BuiltinEmbedder  # noqa: PLC0415

    if model not in {None, "", "builtin", MODEL}:
        message = (
            f"EMBEDDING_MODEL is {model!r}, but the built-in provider has {MODEL!r} only. "
            "Unset it, or set EMBEDDING_PROVIDER=openai."
        )
        raise EmbeddingError(message, "embedding_not_configured")
    return await BuiltinEmbedder.load()


def _not_built_here() -> EmbeddingError:
    here = f"{sys.platform} {platform.machine()} with Python {platform.python_version()}"
    return EmbeddingError(
        f"The built-in embedding model is not available for {here}. Set EMBEDDING_PROVIDER=openai, "
        "EMBEDDING_MODEL and EMBEDDING_API_KEY; EMBEDDING_BASE_URL names a compatible server other "
        "than OpenAI's.",
        "embedding_not_configured",
    )
