"""Splits texts into requests within the limits of OpenAI's embeddings endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from raglive.embedding.embedder import BYTES_PER_TOKEN, EmbeddingError
from raglive_contract.errors import ErrorCode

__all__ = ["batches"]

MAX_INPUTS_PER_REQUEST = 2_048
MAX_TOKENS_PER_REQUEST = 300_000
MAX_TOKENS_PER_INPUT = 8_192


def batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield `texts` in order, in lists that each fit into one request.

    A request counts one token for each byte, which no tokenizer exceeds, so it is always within
    the limit. A single text counts `BYTES_PER_TOKEN` bytes to the token, so only a text that is
    certainly too long raises `EmbeddingError`.
    """
    batch: list[str] = []
    size = 0
    for text in texts:
        length = _length(text)
        is_full = len(batch) == MAX_INPUTS_PER_REQUEST or size + length > MAX_TOKENS_PER_REQUEST
        if batch and is_full:
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += length
    if batch:
        yield batch


def _length(text: str) -> int:
    length = len(text.encode())
    if length > MAX_TOKENS_PER_INPUT * BYTES_PER_TOKEN:
        raise EmbeddingError(
            f"A text of {length:,} bytes is too long to embed; the limit is about "
            f"{MAX_TOKENS_PER_INPUT:,} tokens.",
            ErrorCode.EMBEDDING_INPUT_TOO_LONG,
        )
    return max(length, 1)
