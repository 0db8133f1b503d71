"""How texts are cut into requests that a provider accepts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from raglive.embedding.embedder import EmbeddingError

__all__ = ["BYTES_PER_TOKEN", "batches"]

_MAX_INPUTS = 2_048
_MAX_TOKENS = 300_000
_MAX_INPUT_TOKENS = 8_192
# A byte is never more than a token, and English has more than four bytes to one: the first keeps a
# request certainly within its limit, the second refuses only what is certainly beyond it.
BYTES_PER_TOKEN = 4


def batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield `texts` in order, in lists that fit into one request each.

    Raises `EmbeddingError` for an input that no request can hold.
    """
    batch: list[str] = []
    size = 0
    for text in texts:
        length = _length(text)
        if batch and (len(batch) == _MAX_INPUTS or size + length > _MAX_TOKENS):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += length
    if batch:
        yield batch


def _length(text: str) -> int:
    length = len(text.encode())
    if length > _MAX_INPUT_TOKENS * BYTES_PER_TOKEN:
        raise EmbeddingError(
            f"A text of {length:,} bytes is too long to embed; the limit is about "
            f"{_MAX_INPUT_TOKENS:,} tokens.",
            "embedding_input_too_long",
        )
    return max(length, 1)
