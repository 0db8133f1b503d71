from __future__ import annotations

from raglive.sources.local_files.file_version import FileVersion
from raglive.sources.local_files.notifications import Writing
from raglive.sources.local_files.quiet_period import (
    MAX_READS_AFTER_CLOSE,
    MAX_WAIT_SECONDS,
    OPEN_SECONDS,
    ClockReading,
    QuietPeriod,
)
from raglive.sources.local_files.scan import ScannedFile


def at(seconds: float) -> ClockReading:
    return ClockReading(seconds, int(seconds * 1e9))


def seen(modified: float, size: int = 1) -> ScannedFile:
    return ScannedFile("a", FileVersion(1, 1, size, int(modified * 1e9)))


def test_a_closed_file_is_read_after_a_tick_of_its_clock() -> None:
    quiet_period = QuietPeriod()
    assert not quiet_period.is_over(seen(10), Writing.CLOSED, at(10.004))
    due = quiet_period.next_due()
    assert due is not None
    assert 10.010 < due < 10.020
    assert quiet_period.is_over(seen(10), None, at(due + 0.0001))
    assert quiet_period.next_due() is None


def test_an_old_file_is_taken_at_once() -> None:
    assert QuietPeriod().is_over(seen(10), None, at(12.1))


def test_a_file_without_a_close_notification_is_read_after_a_quiet_second() -> None:
    quiet_period = QuietPeriod()
    for tick in range(5):
        assert not quiet_period.is_over(seen(10 + tick, tick), None, at(10.1 + tick))
    assert not quiet_period.is_over(seen(14, 4), None, at(15))
    assert quiet_period.is_over(seen(14, 4), None, at(15.11))


def test_a_file_opened_again_has_to_wait_again() -> None:
    quiet_period = QuietPeriod()
    assert not quiet_period.is_over(seen(10), Writing.CLOSED, at(10.001))
    assert not quiet_period.is_over(seen(10), Writing.WRITTEN, at(10.02))
    assert not quiet_period.is_over(seen(10), None, at(10.9))


def test_a_date_in_the_future_does_not_keep_a_file_waiting() -> None:
    quiet_period = QuietPeriod()
    assert not quiet_period.is_over(seen(9999), None, at(10))
    assert quiet_period.is_over(seen(9999), None, at(11))
    assert not quiet_period.is_over(seen(9999), Writing.CLOSED, at(20))
    assert quiet_period.is_over(seen(9999), None, at(20.02))


def test_a_file_that_is_always_written_is_read_at_intervals() -> None:
    quiet_period = QuietPeriod()
    taken = [
        second
        for second in range(1500)
        if quiet_period.is_over(seen(second, second), Writing.WRITTEN, at(second + 0.01))
    ]
    assert taken == [MAX_WAIT_SECONDS, 2 * MAX_WAIT_SECONDS + 1]


def test_a_file_that_is_closed_often_waits_for_a_quiet_period() -> None:
    quiet_period = QuietPeriod()
    taken = [
        tick
        for tick in range(3000)
        if quiet_period.is_over(
            seen(100 + tick / 50, tick), Writing.CLOSED, at(100.015 + tick / 50)
        )
    ]
    assert len(taken) <= 2 * MAX_READS_AFTER_CLOSE
    assert not quiet_period.is_over(seen(160, 9), Writing.CLOSED, at(160.1))
    assert quiet_period.is_over(seen(160, 9), None, at(161.2))
    assert quiet_period.is_over(seen(175, 7), Writing.CLOSED, at(175.02))


def test_files_that_no_longer_wait_are_forgotten() -> None:
    quiet_period = QuietPeriod()
    quiet_period.is_over(seen(10), None, at(10))
    quiet_period.keep(lambda place: place != "a")
    assert quiet_period.next_due() is None


def test_a_file_that_its_writer_keeps_open_is_taken_after_a_quiet_minute() -> None:
    quiet_period = QuietPeriod()
    assert not quiet_period.is_over(seen(10), Writing.WRITTEN, at(10))
    assert not quiet_period.is_over(seen(10), None, at(10 + OPEN_SECONDS - 1))
    assert quiet_period.is_over(seen(10), Writing.CLOSED, at(10 + OPEN_SECONDS - 0.5))
    assert not quiet_period.is_over(seen(100), Writing.WRITTEN, at(100))
    assert quiet_period.is_over(seen(100), None, at(100.1 + OPEN_SECONDS))
