"""What an exception within a file's block does to a loop over files."""

from __future__ import annotations

import asyncio
import logging

import pytest

from raglive_reporter import AsyncReporter, OutboxFull, Reporter
from tests.unit.reporter.answering import Answer, Answering, answering


def _reporter(server: Answering) -> Reporter:
    return Reporter(
        "p",
        pipeline_type="t",
        url=server.url,
        token="x",
        outbox=":memory:",
    )


def _reported(server: Answering) -> list[tuple[str, str]]:
    return [
        (event["file"]["name"], event["type"].removeprefix("file:"))
        for _, events in server.requests
        for event in events
        if event["type"] in {"file:completed", "file:failed"}
    ]


def _divide_by_each(reporter: Reporter) -> None:
    for number in (1, 0, 2):
        with reporter.file(str(number)):
            1 / number


def test_by_default_a_loop_ends_at_the_first_bad_file() -> None:
    with answering(Answer()) as server:
        with _reporter(server) as reporter, pytest.raises(ZeroDivisionError):
            _divide_by_each(reporter)
        assert _reported(server) == [("1", "completed"), ("0", "failed")]


def test_a_loop_that_continues_reports_and_logs_the_bad_file(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outcomes = []
    with answering(Answer()) as server, _reporter(server) as reporter:
        for number in (1, 0, 2):
            with reporter.file(str(number), on_error="continue") as file:
                1 / number
            outcomes.append(file.outcome)
    assert outcomes == ["completed", "failed", "completed"]
    assert _reported(server) == [("1", "completed"), ("0", "failed"), ("2", "completed")]
    (record,) = [it for it in caplog.records if it.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


async def test_the_same_in_asyncio() -> None:
    with answering(Answer()) as server:
        async with AsyncReporter(
            "p", pipeline_type="t", url=server.url, token="x", outbox=":memory:"
        ) as reporter:
            for number in (1, 0, 2):
                async with reporter.file(str(number), on_error="continue"):
                    1 / number
            with pytest.raises(asyncio.CancelledError):
                async with reporter.file("cancelled", on_error="continue"):
                    raise asyncio.CancelledError
    assert [outcome for _, outcome in _reported(server)] == [
        "completed",
        "failed",
        "completed",
        "failed",
    ]


def _complete_and_fail(reporter: Reporter) -> None:
    with reporter.file("b", on_error="continue") as file:
        file.complete()
        raise ValueError("late")


def test_errors_that_are_not_reported_propagate() -> None:
    with answering(Answer()) as server:
        with _reporter(server) as reporter:
            with pytest.raises(KeyboardInterrupt), reporter.file("a", on_error="continue"):
                raise KeyboardInterrupt
            with pytest.raises(ValueError, match="late"):
                _complete_and_fail(reporter)
        assert _reported(server) == [("a", "failed"), ("b", "completed")]


def test_a_full_outbox_propagates() -> None:
    reporter = Reporter(
        "p",
        pipeline_type="t",
        url="http://127.0.0.1:9",
        token="x",
        outbox=":memory:",
        on_full="raise",
        max_events=2,
    )
    reporter.open()
    with pytest.raises(OutboxFull), reporter.file("a", on_error="continue") as file:
        file.complete()
    with pytest.raises(OutboxFull), reporter.file("b", on_error="continue"):
        pass
    assert reporter.close(timeout=0) == 2
