"""The checker accepts every valid history, and finds each kind of violation."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raglive_contract.digest import roll
from tests.chaos.checker import Log, find_violations
from tests.chaos.history import Acknowledged, Checkpoint, History, Violation

IDS = tuple(str(UUID(int=n)) for n in range(1, 21))


def _log(ids: tuple[str, ...] = IDS) -> Log:
    digests = [b""]
    for seq, id_ in enumerate(ids, 1):
        digests.append(roll(digests[-1], UUID(id_), seq))
    return Log("e", ids, tuple(digest.hex() for digest in digests))


LOGS = {"one": _log()}


def _event(seq: int) -> dict[str, object]:
    return {"id": IDS[seq - 1], "seq": seq}


def _checkpoint(seq: int) -> Checkpoint:
    return Checkpoint(0, "one", "e", seq, LOGS["one"].digests[seq])


def _history(start: int, order: list[int]) -> History:
    """A viewer that starts after `start` and receives events in this order."""
    history = History()
    checkpoint = _checkpoint(start)
    history.note(checkpoint)
    for seq in order:
        checkpoint = history.receive(checkpoint, _event(seq))
    return history


@given(st.integers(0, len(IDS)), st.sets(st.integers(0, len(IDS))))
def test_a_complete_history_is_accepted_with_any_reconnections(
    start: int, returns: set[int]
) -> None:
    history = History()
    checkpoint = _checkpoint(start)
    history.note(checkpoint)
    for seq in range(start + 1, len(IDS) + 1):
        checkpoint = history.receive(checkpoint, _event(seq))
        if seq in returns:
            history.note(_checkpoint(seq))
    history.note(Acknowledged(0, "one", IDS[:5]))
    history.note(Acknowledged(0, "one", IDS[5:]))
    assert find_violations(history, LOGS, [0]) == []
    assert history.deliveries == len(IDS) - start


@given(st.data())
def test_any_other_sequence_is_a_violation(data: st.DataObject) -> None:
    right = list(range(6, len(IDS) + 1))
    order = data.draw(
        st.one_of(
            st.lists(st.sampled_from(right), max_size=20),
            st.permutations(right),
            st.integers(1, len(right)).map(lambda n: right[:n] + right[n - 1 :]),
        ).filter(lambda order: order != right)
    )
    assert find_violations(_history(5, order), LOGS, [0])


@pytest.mark.parametrize("returned_to", [0, 9, 11, 20])
def test_a_wrong_checkpoint_is_a_violation(returned_to: int) -> None:
    history = _history(0, list(range(1, 11)))
    history.note(_checkpoint(returned_to))
    checkpoint = _checkpoint(returned_to)
    for seq in range(returned_to + 1, len(IDS) + 1):
        checkpoint = history.receive(checkpoint, _event(seq))
    assert find_violations(history, LOGS, [0])


def test_a_checkpoint_that_skips_events_is_a_violation() -> None:
    history = _history(5, [])
    history.note(_checkpoint(len(IDS)))
    assert find_violations(history, LOGS, [0])


def test_other_events_at_the_same_positions_are_violations() -> None:
    history = _history(0, list(range(1, len(IDS) + 1)))
    other = {"one": _log((*IDS[:-1], str(UUID(int=99))))}
    assert find_violations(history, other, [0])


def test_another_epoch_is_a_violation() -> None:
    history = _history(0, list(range(1, len(IDS) + 1)))
    again = {"one": Log("another", LOGS["one"].ids, LOGS["one"].digests)}
    assert find_violations(history, again, [0])


def test_a_recorded_violation_is_reported() -> None:
    history = _history(0, list(range(1, len(IDS) + 1)))
    history.note(Violation(0, "an unexpected status"))
    assert find_violations(history, LOGS, [0]) == ["viewer 0: an unexpected status"]


@pytest.mark.parametrize(
    "ids", [(*IDS, str(UUID(int=99))), IDS[::-1], (*IDS, IDS[0])], ids=["lost", "order", "twice"]
)
def test_acknowledged_events_are_in_the_log_once_and_in_order(ids: tuple[str, ...]) -> None:
    history = _history(0, list(range(1, len(IDS) + 1)))
    history.note(Acknowledged(0, "one", ids))
    assert find_violations(history, LOGS, [0])
