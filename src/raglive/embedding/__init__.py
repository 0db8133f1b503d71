"""Vectors for texts: a built-in model, or any OpenAI-compatible provider."""

from raglive.embedding.embedder import (
    PROBE,
    Embedder,
    EmbeddingError,
    EmbeddingRefused,
    Vectors,
)
from raglive.embedding.providers import EmbeddingConfig, create_embedder

__all__ = [
    "PROBE",
    "Embedder",
    "EmbeddingConfig",
    "EmbeddingError",
    "EmbeddingRefused",
    "Vectors",
    "create_embedder",
]
