"""What all peers share: the same extractor, in as many processes, and the same embedder."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from raglive.embedding.builtin import BuiltinEmbedder
from raglive.extraction.file_reader import read_file
from raglive.extraction.model import ExtractionLimits

LIMITS = ExtractionLimits(max_file_bytes=1 << 29, max_text_chars=50_000_000)


class Text(NamedTuple):
    """A file's name and text."""

    name: str
    text: str


def measure(load: Callable[[Sequence[Text]], int], workers: int, folder: Path) -> None:
    """Read the folder and load it; print seconds, documents and chunks as JSON."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    embed(["warm"])
    with get_context("spawn").Pool(workers, initializer=_warm) as pool:
        pool.map(_nothing, range(workers))
        began = time.monotonic()
        texts = pool.map(_read, paths, chunksize=4)
        chunks = load(texts)
        seconds = time.monotonic() - began
    json.dump({"seconds": seconds, "documents": len(texts), "chunks": chunks}, sys.stdout)


def embed(texts: Sequence[str]) -> list[list[float]]:
    """Embed with the model that comes with raglive."""
    return [vector.tolist() for vector in asyncio.run(_embedder().embed(texts))]


@cache
def _embedder() -> BuiltinEmbedder:
    return asyncio.run(BuiltinEmbedder.load())


def _read(path: Path) -> Text:
    return Text(str(path), read_file(path, path.name, None, LIMITS).text)


def _warm() -> None:
    """Import what reading needs before the measurement."""


def _nothing(_: int) -> None:
    time.sleep(0.1)  # so that every process gets a task
