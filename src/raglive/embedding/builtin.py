"""The model that comes with raglive: it needs no key, no network and no graphics card.

The token vectors are those of `wordllama` (MIT), distilled from the embedding tables of language
models. They are read directly from its files, because importing the package takes three times as
long and downloads the weights when they are missing.
"""

from __future__ import annotations

import asyncio
import json
import re
import struct
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import numpy as np
import orjson
from tokenizers import AddedToken, Tokenizer, models

from raglive.embedding.embedder import (
    EmbeddingError,
    ObserveRequest,
    OnTokens,
    Vectors,
    unit_vectors,
)
from raglive_contract.errors import ErrorCode

__all__ = ["BuiltinEmbedder"]

MODEL = "wordllama-l2-supercat-256"
_WEIGHTS = "weights/l2_supercat_256.safetensors"
_VOCABULARY = "tokenizers/l2_supercat_tokenizer_config.json"
_TENSOR = "embedding.weight"
_TEXTS_PER_STEP = 128  # other tasks run, and cancellation takes effect, between steps
_TEXTS_PER_BATCH = 256
_UNKNOWN_TOKEN = 0
_SPACE = "\u2581"
_WORDS = re.compile(rf"\n+|{_SPACE}*[^{_SPACE}\n]+|{_SPACE}+")  # no token spans two matches
_SHORT_CHARS = 4_000  # embedding this much takes less time than a thread switch
_MAX_CACHED_WORDS = 100_000
_MAX_CACHED_WORD_CHARS = 40


class BuiltinEmbedder:
    """Embeds a text as the average of its token vectors."""

    provider = "builtin"
    model = MODEL
    is_paid = False
    is_half_open = False
    trouble = None

    def __init__(self, tokenizer: Tokenizer, table: Vectors) -> None:
        self._tokenizer = tokenizer
        self._table = table
        self._cache: dict[str, list[int]] = {}

    @classmethod
    async def load(cls) -> Self:
        """Load the model from its files. Raises `EmbeddingError` if they are not installed."""
        return cls(*await asyncio.to_thread(_load))

    @property
    def dimensions(self) -> int:
        """Numbers in each vector."""
        return int(self._table.shape[1])

    def health(self) -> dict[str, Any]:
        """Return provider and model."""
        return {"provider": self.provider, "model": self.model}

    def batches(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Yield `texts` in order, a few hundred at a time."""
        for start in range(0, len(texts), _TEXTS_PER_BATCH):
            yield list(texts[start : start + _TEXTS_PER_BATCH])

    async def embed(
        self,
        texts: Sequence[str],
        on_tokens: OnTokens | None = None,  # noqa: ARG002 - nothing is billed
    ) -> Vectors:
        """Return one vector for each text, in order."""
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for start in range(0, len(texts), _TEXTS_PER_STEP):
            step = list(texts[start : start + _TEXTS_PER_STEP])
            if sum(map(len, step)) < _SHORT_CHARS:
                vectors[start : start + len(step)] = self._averages(step)
            else:
                vectors[start : start + len(step)] = await asyncio.to_thread(self._averages, step)
        return vectors

    def observe_requests(self, observe: ObserveRequest) -> None:
        """Do nothing: there are no requests."""

    async def close(self) -> None:
        """Do nothing: there are no connections."""

    def _averages(self, texts: list[str]) -> Vectors:
        sums = [self._table[ids or [_UNKNOWN_TOKEN]].sum(axis=0) for ids in self._tokens(texts)]
        return unit_vectors(np.stack(sums))

    def _tokens(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """Yield the token ids of each text; those of words seen before come from a cache."""
        split = [
            _WORDS.findall(_SPACE + text.replace(" ", _SPACE)) if text else [] for text in texts
        ]
        cached = self._cache
        new = list({word for words in split for word in words}.difference(cached))
        encoded = self._tokenizer.encode_batch_fast(new)
        found = {word: tokens.ids for word, tokens in zip(new, encoded, strict=True)}
        for words in split:
            yield [token for word in words for token in (cached.get(word) or found[word])]
        cached.update(
            (word, ids) for word, ids in found.items() if len(word) <= _MAX_CACHED_WORD_CHARS
        )
        if len(cached) > _MAX_CACHED_WORDS:
            self._cache = {}


def _load() -> tuple[Tokenizer, Vectors]:
    folder = _model_folder()
    return _read_tokenizer(folder / _VOCABULARY), _read_table(folder / _WEIGHTS)


def _read_tokenizer(path: Path) -> Tokenizer:
    """Build the tokenizer from its parts, because `Tokenizer.from_file` holds the interpreter lock.

    That takes about 70 ms, in which a server does nothing else; each step here takes less than half
    of it. The normalizer is left out: its only change is made before the text is split.
    """
    described = orjson.loads(path.read_bytes())
    model = described["model"]
    merges = [tuple(pair.split(" ")) for pair in model["merges"]]
    options = {name: model[name] for name in ("unk_token", "fuse_unk", "byte_fallback")}
    tokenizer = Tokenizer(models.BPE(model["vocab"], merges, **options))
    tokenizer.add_special_tokens(
        [
            AddedToken(**{name: value for name, value in one.items() if name != "id"})
            for one in described["added_tokens"]
        ]
    )
    return tokenizer


def _model_folder() -> Path:
    package = find_spec("wordllama")
    if package is None or not package.submodule_search_locations:
        raise EmbeddingError(
            "The built-in embedding model is not installed.", ErrorCode.EMBEDDING_NOT_CONFIGURED
        )
    return Path(package.submodule_search_locations[0])


def _read_table(path: Path) -> Vectors:
    """Read a safetensors file of one half-precision table."""
    with path.open("rb") as file:
        (header_size,) = struct.unpack("<Q", file.read(8))
        shape = json.loads(file.read(header_size))[_TENSOR]["shape"]
        table = np.fromfile(file, dtype="<f2", count=shape[0] * shape[1])
    return table.reshape(shape).astype(np.float32)
