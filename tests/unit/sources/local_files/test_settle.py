from __future__ import annotations

from raglive.sources.local_files.scan import Seen
from raglive.sources.local_files.settle import OFTEN, RESTLESS_SECONDS, Moment, Settling
from raglive.sources.local_files.version import Version


def at(seconds: float) -> Moment:
    return Moment(seconds, int(seconds * 1e9))


def seen(modified: float, size: int = 1) -> Seen:
    return Seen("a", Version(1, 1, size, int(modified * 1e9)))


def test_a_closed_file_is_taken_after_a_tick_of_its_clock() -> None:
    settling = Settling()
    assert not settling.is_settled(seen(10), True, at(10.004))
    due = settling.next_due()
    assert due is not None
    assert 10.010 < due < 10.020
    assert settling.is_settled(seen(10), None, at(due + 0.0001))
    assert settling.next_due() is None


def test_an_old_file_is_taken_at_once() -> None:
    assert Settling().is_settled(seen(10), None, at(12.1))


def test_a_file_that_nobody_closed_is_taken_after_a_quiet_second() -> None:
    settling = Settling()
    for tick in range(5):
        assert not settling.is_settled(seen(10 + tick, tick), None, at(10.1 + tick))
    assert not settling.is_settled(seen(14, 4), None, at(15))
    assert settling.is_settled(seen(14, 4), None, at(15.11))


def test_a_file_opened_again_waits_again() -> None:
    settling = Settling()
    assert not settling.is_settled(seen(10), True, at(10.001))
    assert not settling.is_settled(seen(10), False, at(10.02))
    assert not settling.is_settled(seen(10), None, at(10.9))


def test_a_date_in_the_future_does_not_keep_a_file_waiting() -> None:
    settling = Settling()
    assert not settling.is_settled(seen(9999), None, at(10))
    assert settling.is_settled(seen(9999), None, at(11))
    assert not settling.is_settled(seen(9999), True, at(20))
    assert settling.is_settled(seen(9999), None, at(20.02))


def test_a_file_that_never_rests_is_taken_now_and_then() -> None:
    settling = Settling()
    taken = [
        second
        for second in range(1500)
        if settling.is_settled(seen(second, second), False, at(second + 0.01))
    ]
    assert taken == [RESTLESS_SECONDS, 2 * RESTLESS_SECONDS + 1]


def test_a_file_that_is_closed_all_the_time_must_come_to_rest() -> None:
    settling = Settling()
    taken = [
        tick
        for tick in range(3000)
        if settling.is_settled(seen(100 + tick / 50, tick), True, at(100.015 + tick / 50))
    ]
    assert len(taken) <= 2 * OFTEN
    assert not settling.is_settled(seen(160, 9), True, at(160.1))
    assert settling.is_settled(seen(160, 9), None, at(161.2))
    assert settling.is_settled(seen(175, 7), True, at(175.02))


def test_what_is_not_kept_is_forgotten() -> None:
    settling = Settling()
    settling.is_settled(seen(10), None, at(10))
    settling.keep(lambda place: place != "a")
    assert settling.next_due() is None
