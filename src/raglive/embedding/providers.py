"""Creates the configured embedder: the built-in model or an OpenAI-compatible provider."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec

from raglive.embedding.embedder import Embedder, EmbeddingError
from raglive.store.index.model_source import DEFAULT_SOURCE, ModelSource
from raglive.store.index.vector_space import VectorSpace
from raglive_contract.errors import ErrorCode

__all__ = ["EmbeddingConfig", "create_embedder"]


@dataclass(frozen=True, slots=True)
class EmbeddingConfig:
    """The provider and model to embed with. `dimensions` asks for vectors of another length."""

    provider: str = "builtin"
    model: str | None = None
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    dimensions: int | None = None
    concurrent_requests: int = 4
    timeout_seconds: float = 60.0


async def create_embedder(
    config: EmbeddingConfig,
    *,
    known: VectorSpace | None = None,
    known_source: ModelSource = DEFAULT_SOURCE,
) -> Embedder:
    """Return an embedder that is ready to use.

    `known` is the vector space of the index. When `config` names its model, no request is needed
    to learn the dimensions, and `known_source` says which dimensions to ask for unless `config`
    does. Raises `EmbeddingError`.
    """
    if config.provider == "builtin":
        return await _load_builtin(config.model)
    if config.provider != "openai":
        message = f"EMBEDDING_PROVIDER is {config.provider!r}; it may be 'builtin' or 'openai'."
        raise EmbeddingError(message, ErrorCode.EMBEDDING_NOT_CONFIGURED)
    if not config.api_key and not config.base_url:
        message = "Set EMBEDDING_API_KEY for OpenAI, or EMBEDDING_BASE_URL for another provider."
        raise EmbeddingError(message, ErrorCode.EMBEDDING_NOT_CONFIGURED)
    # Imported here because each provider's libraries take time to load.
    from raglive.embedding.openai import (  # noqa: PLC0415
        DEFAULT_MODEL,
        OpenAIEmbedder,
    )

    model = config.model or DEFAULT_MODEL
    asked = config.dimensions
    is_known = known is not None and (known.provider, known.model) == (config.provider, model)
    if is_known and asked is None:
        asked = known_source.asked_dimensions
    return await OpenAIEmbedder.connect(
        model,
        dimensions=asked or (known.dimensions if known and is_known else None),
        api_key=config.api_key,
        base_url=config.base_url,
        ask_dimensions=asked,
        concurrent_requests=config.concurrent_requests,
        timeout_seconds=config.timeout_seconds,
    )


async def _load_builtin(model: str | None) -> Embedder:
    if not (find_spec("wordllama") and find_spec("tokenizers")):
        raise _not_available_here()
    from raglive.embedding.builtin import MODEL, BuiltinEmbedder  # noqa: PLC0415

    if model not in {None, "", "builtin", MODEL}:
        message = (
            f"EMBEDDING_MODEL is {model!r}, but the built-in provider has only {MODEL!r}. "
            "Unset it, or set EMBEDDING_PROVIDER=openai."
        )
        raise EmbeddingError(message, ErrorCode.EMBEDDING_NOT_CONFIGURED)
    return await BuiltinEmbedder.load()


def _not_available_here() -> EmbeddingError:
    here = f"{sys.platform} {platform.machine()} with Python {platform.python_version()}"
    return EmbeddingError(
        f"The built-in embedding model is not available for {here}. Set EMBEDDING_PROVIDER=openai, "
        "EMBEDDING_MODEL and EMBEDDING_API_KEY. To use a compatible server other than OpenAI's, "
        "set EMBEDDING_BASE_URL as well.",
        ErrorCode.EMBEDDING_NOT_CONFIGURED,
    )
