"""The checker accepts what can be, and finds each kind of fault that is planted."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raglive_contract.digest import roll
from tests.chaos.checker import Log, find_faults
from tests.chaos.history import Acknowledged, Fault, History, Stand

IDS = tuple(str(UUID(int=n)) for n in range(1, 21))


def _log(ids: tuple[str, ...] = IDS) -> Log:
    digests = [b""]
    for seq, id_ in enumerate(ids, 1):
        digests.append(roll(digests[-1], UUID(id_), seq))
    return Log("e", ids, tuple(digest.hex() for digest in digests))


LOGS = {"one": _log()}


def _event(seq: int) -> dict[str, object]:
    return {"id": IDS[seq - 1], "seq": seq}


def _stand(seq: int) -> Stand:
    return Stand(0, "one", "e", seq, LOGS["one"].digests[seq])


def _lived(start: int, order: list[int]) -> History:
    """A viewer that starts after `start` and receives events in this order."""
    history = History()
    stands = _stand(start)
    history.note(stands)
    for seq in order:
        stands = history.receive(stands, _event(seq))
    return history


@given(st.integers(0, len(IDS)), st.sets(st.integers(0, len(IDS))))
def test_who_received_everything_is_right_however_often_it_came_back(
    start: int, returns: set[int]
) -> None:
    history = History()
    stands = _stand(start)
    history.note(stands)
    for seq in range(start + 1, len(IDS) + 1):
        stands = history.receive(stands, _event(seq))
        if seq in returns:
            history.note(_stand(seq))
    history.note(Acknowledged(0, "one", IDS[:5]))
    history.note(Acknowledged(0, "one", IDS[5:]))
    assert find_faults(history, LOGS, [0]) == []
    assert history.deliveries == len(IDS) - start


@given(st.data())
def test_whatever_else_was_received_is_a_fault(data: st.DataObject) -> None:
    right = list(range(6, len(IDS) + 1))
    order = data.draw(
        st.one_of(
            st.lists(st.sampled_from(right), max_size=20),
            st.permutations(right),
            st.integers(1, len(right)).map(lambda n: right[:n] + right[n - 1 :]),
        ).filter(lambda order: order != right)
    )
    assert find_faults(_lived(5, order), LOGS, [0])


@pytest.mark.parametrize("returned_to", [0, 9, 11, 20])
def test_whoever_is_set_back_or_ahead_is_noticed(returned_to: int) -> None:
    history = _lived(0, list(range(1, 11)))
    history.note(_stand(returned_to))
    stands = _stand(returned_to)
    for seq in range(returned_to + 1, len(IDS) + 1):
        stands = history.receive(stands, _event(seq))
    assert find_faults(history, LOGS, [0])


def test_whoever_is_moved_on_without_events_is_noticed() -> None:
    history = _lived(5, [])
    history.note(_stand(len(IDS)))
    assert find_faults(history, LOGS, [0])


def test_other_events_in_the_same_places_are_noticed() -> None:
    history = _lived(0, list(range(1, len(IDS) + 1)))
    other = {"one": _log((*IDS[:-1], str(UUID(int=99))))}
    assert find_faults(history, other, [0])


def test_a_log_that_began_anew_is_noticed() -> None:
    history = _lived(0, list(range(1, len(IDS) + 1)))
    again = {"one": Log("another", LOGS["one"].ids, LOGS["one"].digests)}
    assert find_faults(history, again, [0])


def test_what_never_should_be_received_is_a_fault() -> None:
    history = _lived(0, list(range(1, len(IDS) + 1)))
    history.note(Fault(0, "a status beside events"))
    assert find_faults(history, LOGS, [0]) == ["viewer 0: a status beside events"]


@pytest.mark.parametrize(
    "ids", [(*IDS, str(UUID(int=99))), IDS[::-1], (*IDS, IDS[0])], ids=["lost", "order", "twice"]
)
def test_what_was_acknowledged_is_in_the_log_once_and_in_order(ids: tuple[str, ...]) -> None:
    history = _lived(0, list(range(1, len(IDS) + 1)))
    history.note(Acknowledged(0, "one", ids))
    assert find_faults(history, LOGS, [0])
