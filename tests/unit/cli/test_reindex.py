"""The progress lines of `raglive reindex` without a terminal."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from raglive.cli.reindex import _shown
from raglive.ingest.reindex import ReindexProgress


def test_the_time_left_is_estimated_for_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    written = io.StringIO()
    with _shown(Console(file=written)) as tell:
        for seconds, done, note in (
            (0, 4_000, "embedding"),
            (3, 4_500, "embedding"),  # too soon for another line
            (7, 5_000, "embedding"),
            (5, 9_000, "embedding"),
            (5, 0, "building the vector index"),
            (10, 500, "building the vector index"),
            (1, 10_000, "changing over"),
        ):
            now += seconds
            tell(ReindexProgress(done, 10_000, note))
    assert written.getvalue().splitlines() == [
        "4000 of 10000 chunks: embedding",
        "5000 of 10000 chunks: embedding, 50 s left",
        "9000 of 10000 chunks: embedding, 3 s left",
        "0 of 10000 chunks: building the vector index",
        "500 of 10000 chunks: building the vector index, 3 min left",
        "10000 of 10000 chunks: changing over",
    ]
