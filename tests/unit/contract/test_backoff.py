"""Pauses double up to the longest, keep to the upper half of their range, and honour a request."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from raglive_contract.backoff import Backoff

BACKOFF = Backoff(first_seconds=0.5, longest_seconds=60.0)


@given(st.integers(0, 10_000), st.none() | st.floats(0, 120))
def test_a_pause_is_within_its_range_and_never_shorter_than_asked(
    failures: int, asked: float | None
) -> None:
    ceiling = 60.0 if failures > 6 else 0.5 * 2**failures
    least = min(asked or 0.0, 60.0)
    assert max(least, ceiling / 2) <= BACKOFF.seconds(failures, asked) <= max(least, ceiling)


def test_pauses_are_spread() -> None:
    assert len({BACKOFF.seconds(3) for _ in range(50)}) > 40
