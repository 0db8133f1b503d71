from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raglive.http_api import rate_limits
from raglive.http_api.rate_limits import Rate, address_key


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


steps = st.lists(
    st.tuples(st.floats(0, 3, allow_nan=False), st.integers(1, 5)), min_size=1, max_size=60
)


@given(st.floats(0.05, 50), st.floats(0.1, 10), steps)
def test_never_more_than_the_rate_and_the_burst(
    per_second: float, burst_seconds: float, taken: list[tuple[float, int]]
) -> None:
    clock = Clock()
    rate = Rate(per_second, burst_seconds, clock)
    granted, largest = 0, max(amount for _, amount in taken)
    for pause, amount in taken:
        clock.now += pause
        wait = rate.take("somebody", amount)
        granted += 0 if wait else amount
        most = per_second * (clock.now - Clock.now + max(burst_seconds, 1 / per_second)) + largest
        assert granted <= most + 1e-6
        if wait:
            clock.now += wait
            assert rate.take("somebody") == 0, "a caller that waits is served"
            granted += 1


def test_keys_do_not_share_a_bucket() -> None:
    rate = Rate(1, 1, Clock())
    assert rate.take("a") == 0
    assert rate.take("a") > 0
    assert rate.take("b") == 0


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "MAX_KEYS", 100)
    clock = Clock()
    rate = Rate(1, 10, clock)
    for number in range(1000):
        rate.take(str(number))
    assert len(rate) == 100
    clock.now += 60
    rate.take("later")
    assert len(rate) == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.7", "203.0.113.8", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::1", True),
        ("unknown", "unknown", True),
    ],
)
def test_the_addresses_of_one_host_share_a_key(one: str, other: str, same: bool) -> None:
    assert (address_key(one) == address_key(other)) is same
