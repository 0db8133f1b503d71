"""A flood of lines of one kind is counted, and long values are cut."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from raglive.cli import log_limits
from raglive.cli.logs import configure_logs
from raglive.settings import read_settings


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The output of a process' log, with low limits."""
    before = structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(log_limits, "REFUSALS", 2)
    monkeypatch.setattr(log_limits, "OTHERS", 5)
    text = io.StringIO()
    configure_logs(read_settings({}), text)
    yield text
    structlog.configure(**before)
    root.handlers[:], root.level = handlers, level


def lines(output: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_each_kind_has_a_limit_and_what_is_omitted_is_counted(
    output: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = structlog.get_logger()
    for number in range(9):
        log.info("request", status=200, path=f"/{number}")
        log.info("request", status=404, path=f"/{number}")
        log.info("audit", outcome="forbidden")
        log.warning("host_not_allowed", host=f"host{number}")
    kinds = [(line["event"], line.get("status"), line.get("outcome")) for line in lines(output)]
    assert kinds.count(("request", 200, None)) == 5
    assert kinds.count(("request", 404, None)) == 2
    assert kinds.count(("audit", None, "forbidden")) == 2
    assert kinds.count(("host_not_allowed", None, None)) == 2
    monkeypatch.setattr(log_limits, "INTERVAL_SECONDS", 0.0)
    log.warning("host_not_allowed", host="another")
    *counted, last = lines(output)[len(kinds) :]
    assert last["host"] == "another", "a new interval has begun"
    assert {line["of"]: line["lines"] for line in counted} == {
        "request info 200": 4,
        "request info 404": 7,
        "audit info forbidden": 7,
        "host_not_allowed warning": 7,
    }


def test_the_number_of_kinds_is_limited(
    output: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_limits, "MAX_KINDS", 3)
    for number in range(20):
        structlog.get_logger().warning(f"kind {number}")
    assert len(lines(output)) == 3 + 2


def test_long_values_are_cut_also_within_others(output: io.StringIO) -> None:
    long = "x" * 100_000
    structlog.get_logger().info("audit", path=long, detail={"message": [long]})
    assert len(output.getvalue()) < 2000
    assert "more characters" in output.getvalue()


def test_lines_of_libraries_are_limited_too(output: io.StringIO) -> None:
    for _ in range(9):
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received. %s", "x" * 9999)
    assert len(output.getvalue().splitlines()) == 2
    assert len(output.getvalue()) < 2000
