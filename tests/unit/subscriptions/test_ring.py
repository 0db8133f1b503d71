from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from raglive.status_server.subscriptions.ring import Ring
from tests.unit.subscriptions.log import make_log

LENGTH = 60
LOG = make_log(LENGTH)
BODY = len(LOG[0].body)

Step = tuple[str, int]
steps = st.lists(st.tuples(st.sampled_from(["extend", "prepend"]), st.integers(1, 9)), max_size=30)


@given(
    start=st.integers(0, LENGTH),
    steps=steps,
    max_messages=st.integers(1, 25),
    max_bytes=st.integers(1, 25 * BODY),
)
def test_it_holds_the_end_of_the_log_without_a_gap_and_within_bounds(
    start: int, steps: list[Step], max_messages: int, max_bytes: int
) -> None:
    ring = Ring(start, max_messages=max_messages, max_bytes=max_bytes)
    for step, count in steps:
        if step == "extend":
            ring.extend(LOG[ring.seq : ring.seq + count])
        else:
            ring.prepend(LOG[max(0, ring.floor - count) : ring.floor])
        held = ring.seq - ring.floor
        assert held <= max_messages
        assert held * BODY <= max_bytes
        for seq in range(-1, LENGTH + 2):
            expected = LOG[seq : ring.seq] if ring.floor <= seq <= ring.seq else None
            assert ring.after(seq) == expected


def test_only_messages_that_end_at_the_floor_are_prepended() -> None:
    ring = Ring(10)
    ring.extend(LOG[10:12])
    assert not ring.prepend(LOG[3:9])
    assert not ring.prepend([])
    assert ring.prepend(LOG[3:10])
    assert ring.after(3) == LOG[3:12]
