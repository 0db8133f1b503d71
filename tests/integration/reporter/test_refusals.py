"""Refused events do not block the others, and every loss is reported."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

import pytest

from raglive_reporter import AsyncReporter, OutboxFull, Reporter
from tests.integration.reporter.conftest import ReadLog, Settings
from tests.integration.reporter.status_process import PIPELINE, StatusProcess, producer_token


async def test_a_refused_event_becomes_a_dead_letter(
    server: StatusProcess, settings: Settings, read_log: ReadLog, caplog: pytest.LogCaptureFixture
) -> None:
    await server.kill()
    reporter = AsyncReporter(PIPELINE, url=server.url, **settings)
    await reporter.open()
    for number in range(20):
        await reporter.update({"number": number})
        if number % 7 == 3:
            await reporter.update({"what the database cannot hold": "\0"})
    await server.start()
    assert await reporter.flush(60) == 0

    letters = reporter.dead_letters()
    assert [letter.code for letter in letters] == ["invalid_event"] * 3
    assert letters[0].event["changes"] == {"what the database cannot hold": "\0"}
    assert "cannot be stored" in letters[0].message
    assert "now a dead letter" in caplog.text
    assert reporter.discard_dead_letters() == 3
    await reporter.close()
    online, *updates, offline = await read_log()
    assert (online["type"], offline["type"]) == ("pipeline:online", "pipeline:offline")
    assert [update["payload"]["changes"]["number"] for update in updates] == list(range(20))


async def test_forbidden_events_are_tried_again_on_request(
    server: StatusProcess, settings: Settings, read_log: ReadLog
) -> None:
    tokens = [producer_token("another-*")]
    settings["token"] = lambda: tokens[-1]
    async with AsyncReporter(PIPELINE, url=server.url, **settings) as reporter:
        async with reporter.file("a"), reporter.file("b"):
            pass
        assert await reporter.flush(60) == 0
        assert [letter.code for letter in reporter.dead_letters()] == ["forbidden"] * 5
        assert await read_log() == []

        tokens.append(producer_token())
        async with reporter.file("b"):  # from now on, b's first attempt is superseded
            pass
        assert await reporter.flush(60) == 0
        assert reporter.retry_dead_letters() == 5
        log = await read_log(within=5)
    assert [event["payload"].get("attempt") for event in log] == [2, 2, None, 1, 1]
    first_of_b = [letter.event["file"]["name"] for letter in reporter.dead_letters()]
    assert first_of_b == ["b", "b"]


async def test_an_expired_token_is_renewed(
    server: StatusProcess, settings: Settings, read_log: ReadLog
) -> None:
    asked = 0
    answers = deque([producer_token(ttl=-60), "", producer_token(ttl=-60), producer_token()])

    async def ask() -> str:
        nonlocal asked
        asked += 1
        if not answers[0]:
            answers.popleft()
            raise OSError("the issuer is away")
        return answers.popleft() if len(answers) > 1 else answers[0]

    async with AsyncReporter(PIPELINE, url=server.url, **settings | {"token": ask}) as reporter:
        assert await reporter.flush(60) == 0
    assert asked == 4
    assert len(await read_log()) == 2
    assert reporter.dead_letters() == []


async def test_events_wait_while_the_token_is_expired(
    server: StatusProcess,
    settings: Settings,
    read_log: ReadLog,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended = settings | {"token": producer_token(ttl=-60)}
    reporter = AsyncReporter(PIPELINE, url=server.url, **ended)
    await reporter.open()
    async with asyncio.timeout(30):
        while "The token has expired" not in caplog.text:
            await asyncio.sleep(0.01)
    assert await reporter.close(timeout=0.1) == 2
    assert "2 events of crawler-1 wait in the outbox" in caplog.text
    assert settings["token"] not in caplog.text
    async with AsyncReporter(PIPELINE, url=server.url, **settings):
        pass
    kinds = [event["type"].removeprefix("pipeline:") for event in await read_log()]
    assert kinds == ["online", "offline"] * 2


@pytest.mark.parametrize("bounds", [{"max_events": 3}, {"max_bytes": 800}])
async def test_a_full_outbox_blocks_and_then_refuses(
    bounds: Settings, server: StatusProcess, settings: Settings, read_log: ReadLog
) -> None:
    await server.kill()
    impatient = settings | bounds | {"block_seconds": 0.2}
    reporter = Reporter(PIPELINE, url=server.url, **impatient)
    await asyncio.to_thread(reporter.open)
    for number in range(2):
        await asyncio.to_thread(reporter.update, {"number": number})
    with pytest.raises(OutboxFull, match="full: 3 events"):
        await asyncio.to_thread(reporter.update, {"number": 2})
    with pytest.raises(OutboxFull):
        await asyncio.to_thread(_report_a_file, reporter)
    patient = Reporter(PIPELINE, url=server.url, **settings | bounds | {"block_seconds": 60})
    await asyncio.to_thread(patient.open)
    waiting = asyncio.create_task(asyncio.to_thread(patient.update, {"number": 2}))
    await server.start()
    await asyncio.wait_for(waiting, 60)
    for each in (reporter, patient):
        assert await asyncio.to_thread(each.close) == 0
    numbers = [e["payload"]["changes"]["number"] for e in (await read_log())[1:-1]]
    assert numbers == [0, 1, 2]


async def test_a_full_outbox_does_not_hide_the_pipelines_own_error(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings |= {"url": "http://127.0.0.1:9", "max_events": 2, "on_full": "raise"}
    reporter = Reporter(PIPELINE, **settings)
    reporter.open()
    with pytest.raises(ZeroDivisionError), reporter.file("a"):
        raise ZeroDivisionError
    assert "the failure of a is not reported" in caplog.text
    assert reporter.close(timeout=0) == 2
    assert [it.levelno for it in caplog.records if "offline" in it.message] == [logging.WARNING]


def _report_a_file(reporter: Reporter) -> None:
    with reporter.file("a"):
        pass
