"""Events without an acknowledgement wait, and arrive once."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from raglive_reporter import DeliveryIntervals, Reporter
from tests.unit.reporter.answering import Answer, Answering, answering

INTERVALS = DeliveryIntervals(poll=0.01, first_retry=0.01, max_retry=0.02)
COMMITTED = Answer()


def _refusal(code: str, status: int, **more: Any) -> Answer:
    error = {"code": code, "message": "No.", "retryable": False, **more}
    return Answer(status, json.dumps({"error": error}).encode())


def _reporter(url: str, **settings: Any) -> Reporter:
    given: dict[str, Any] = {
        "pipeline_type": "t",
        "token": "x",
        "outbox": ":memory:",
        "intervals": INTERVALS,
    }
    return Reporter("p", url=url, **given | settings)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"<html>Please sign in.</html>"),
        Answer(200, b'{"accepted": 0, "duplicates": 0}'),
        Answer(204, b""),
        Answer(302, b"", {"Location": "http://127.0.0.1:9/"}),
        Answer(403, b"Forbidden by a proxy."),
        Answer(502, b"Bad gateway"),
        Answer(503, b'{"error": "busy"}'),
        _refusal("internal", 500),
        _refusal("not_found", 404),
        _refusal("rate_limited", 429, retryable=True, retry_after_ms=1),
    ],
    ids=lambda answer: str(answer.status),
)
def test_only_an_acknowledgement_counts(answer: Answer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with answering(answer, answer, COMMITTED) as server, _reporter(server.url) as reporter:
        assert reporter.flush(30) == 0
        first, second, third = server.requests
        assert first[1] == second[1] == third[1]
        assert reporter.dead_letters() == []
    assert "HTTP Request" not in caplog.text


@pytest.mark.parametrize(
    "answer",
    [Answer(503, b"", {"Retry-After": "1"}), _refusal("rate_limited", 429, retry_after_ms=1000)],
    ids=["header", "body"],
)
def test_the_requested_delay_is_respected(answer: Answer) -> None:
    with answering(answer, COMMITTED) as server, _reporter(server.url) as reporter:
        assert reporter.flush(30) == 0
        (first, _), (second, _) = server.requests
        assert second - first >= 0.99


def test_batches_are_bounded_and_shrink_when_they_are_too_large(tmp_path: Path) -> None:
    outbox = str(tmp_path / "outbox")
    with answering(_refusal("unavailable", 503)) as server:
        reporter = _reporter(server.url, outbox=outbox)
        reporter.open()
        for number in range(600):
            reporter.update({"number": number})
        reporter.update({"text": "x" * 900_000})
        reporter.update({"text": "y" * 900_000})
        assert reporter.close(timeout=0) == 604
    too_large = _refusal("payload_too_large", 413)
    with answering(too_large, COMMITTED) as server:
        with _reporter(server.url, outbox=outbox) as reporter:
            assert reporter.flush(30) == 0
        assert server.sizes() == [500, 250, 352, 3, 1]
        assert max(len(json.dumps(events)) for _, events in server.requests) < 1_200_000
        assert _numbers(server)[499:] == list(range(600))


def _numbers(server: Answering) -> list[int]:
    return [
        event["changes"]["number"]
        for _, events in server.requests
        for event in events
        if event["type"] == "status:update" and "number" in event["changes"]
    ]


def test_a_reporter_may_be_closed_and_opened_again() -> None:
    with answering(COMMITTED) as server:
        reporter = _reporter(server.url)
        for _ in range(2):
            with reporter:
                reporter.update({})
        reporter.close()
        kinds = [event["type"] for _, events in server.requests for event in events]
    assert kinds == ["pipeline:online", "status:update", "pipeline:offline"] * 2
