"""Delays double up to the longest, keep to the upper half of their range, and honour a request."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from raglive_contract.backoff import Backoff

BACKOFF = Backoff(first_seconds=0.5, longest_seconds=60.0)


@given(st.integers(1, 10_000), st.floats(0, 120))
def test_a_delay_is_within_its_range_and_never_shorter_than_asked(
    failures: int, asked: float
) -> None:
    ceiling = 60.0 if failures > 7 else 0.5 * 2 ** (failures - 1)
    delay = BACKOFF.delay(failures, asked_seconds=asked)
    assert max(asked, ceiling / 2) <= delay <= max(asked, ceiling)


def test_delays_are_spread() -> None:
    assert len({BACKOFF.delay(4) for _ in range(50)}) > 40
