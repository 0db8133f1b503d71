"""`subscribe` and its cursor; `unsubscribe`; pipelines that appear."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from raglive.store.log.event_log import EventLog
from raglive.store.pool import Database
from raglive.store.registry.removal import find_removable, remove_pipeline
from raglive_contract.cursor import parse_cursor
from raglive_contract.permissions import Role
from raglive_contract.socket import StillSubscribed, SubscribeAck
from tests.integration.status_server.serving import (
    Serving,
    completed,
    offline,
    online,
    processing,
    progress,
    publish,
    serving,
    update,
)
from tests.integration.status_server.watching import Viewer, watching

PIPELINE = "local-files-pipeline"
BOTH = pytest.mark.parametrize("transport", ["websocket", "polling"])


def cursor(epoch: str, seq: int) -> str:
    return f"{epoch}.{seq:016d}"


async def epoch_of(database: Database, pipeline_id: str = PIPELINE) -> str:
    heads = {head.pipeline_id: head.epoch for head in await EventLog(database).heads()}
    return heads[pipeline_id]


def before_answer(viewer: Viewer) -> list[str]:
    kinds = [kind for kind, _ in viewer.flat()]
    return [kind for kind in kinds[: kinds.index("answer:subscribe")] if kind != "pipeline:status"]


@BOTH
@pytest.mark.parametrize("batch", [False, True], ids=["single", "batch"])
async def test_the_replay_comes_before_the_answer_and_live_events_after_it(
    server: Serving, database: Database, transport: str, batch: bool
) -> None:
    await publish(database, [online(), processing("a"), completed("a")])
    start = cursor(await epoch_of(database), 1)
    async with watching(server.url, transports=[transport]) as viewer:
        [answer] = await viewer.subscribe(pipeline_id=PIPELINE, cursor=start, batch=batch)
        SubscribeAck.model_validate({"ok": True, "pipelines": [answer]})
        assert before_answer(viewer) == ["file:processing", "file:completed"]
        assert (answer["recovered"], answer["replayed"]) == (True, 2)
        assert answer["cursor"] == answer["snapshot"]["cursor"] == viewer.durable()[-1]["cursor"]
        await publish(database, [processing("b"), completed("b")])
        await viewer.until(lambda: len(viewer.durable()) == 4)
        assert [event["seq"] for event in viewer.durable()] == [2, 3, 4, 5]
        batches = [body["events"] for kind, body in viewer.received if kind == "events:batch"]
        durable = [len(events) for events in batches if "seq" in events[0]]
        assert durable == ([2, 2] if batch else [])


async def test_every_cursor_has_its_answer(server: Serving, database: Database) -> None:
    await publish(database, [online(), update(), update()])
    epoch = await epoch_of(database)
    expected: dict[str | None, tuple[bool, list[int]]] = {
        None: (False, []),
        "-1": (True, [1, 2, 3]),
        "now": (True, []),
        cursor(epoch, 0): (True, [1, 2, 3]),
        cursor(epoch, 2): (True, [3]),
        cursor(epoch, 3): (True, []),
        cursor(epoch, 4): (False, []),
        cursor(epoch, 2**53 - 1): (False, []),
        cursor("0anotherlife", 2): (False, []),
        f"{cursor('0anotherlife', 2)}~{cursor(epoch, 1)}": (True, [2, 3]),
    }
    async with watching(server.url) as viewer:
        for given, outcome in expected.items():
            viewer.received.clear()
            fields = {} if given is None else {"cursor": given}
            [answer] = await viewer.subscribe(pipeline_id=PIPELINE, **fields)
            seqs = [event["seq"] for event in viewer.durable()]
            assert (answer["recovered"], seqs) == outcome, given
            assert answer["replayed"] == len(seqs)
            assert answer["cursor"] == cursor(epoch, 3)


async def test_a_malformed_cursor_is_refused(server: Serving, database: Database) -> None:
    await publish(database, [online()])
    async with watching(server.url) as viewer:
        for garbage in ("", "x", "1", "-2", "abc.1", "a.0000000000000001~", "\0", "ü.1"):
            answer = await viewer.ask("subscribe", {"cursor": garbage})
            assert (answer["ok"], answer["error"]["code"]) == (False, "cursor_invalid")
        await publish(database, [update()])
        await viewer.subscribe()
        assert viewer.durable() == [], "a refused request must not join"


async def test_a_cursor_of_several_pipelines(server: Serving, database: Database) -> None:
    for name in ("one", "two"):
        await publish(database, [online(), update()], name)
    one, two = await epoch_of(database, "one"), await epoch_of(database, "two")
    await publish(database, [online(), update()], "three")
    async with watching(server.url) as viewer:
        answers = await viewer.subscribe(cursor=f"{cursor(one, 1)}~{cursor(two, 2)}")
        replayed = {answer["pipeline_id"]: answer["replayed"] for answer in answers}
        assert replayed == {"one": 1, "two": 0, "three": 2}
        assert all(answer["recovered"] for answer in answers)


async def test_many_missed_events_of_many_pipelines_all_arrive(
    server: Serving, database: Database
) -> None:
    names = [f"pipeline-{number}" for number in range(4)]
    for name in names:
        for _ in range(3):
            await publish(database, [update() for _ in range(1000)], name)
    async with watching(server.url) as viewer:
        answers = await viewer.subscribe(cursor="-1")
        assert [answer["replayed"] for answer in answers] == [3000] * 4
        for name in names:
            assert [one["seq"] for one in viewer.durable(name)] == list(range(1, 3001))


async def test_live_events_of_one_pipeline_wait_for_the_answer_about_all(
    server: Serving, database: Database
) -> None:
    names = [f"pipeline-{number:02}" for number in range(30)]
    for name in names:
        await publish(database, [online()], name)
    stop = asyncio.Event()

    async def go_on() -> None:
        while not stop.is_set():
            await publish(database, [update()], names[0])

    publishing = asyncio.create_task(go_on())
    async with watching(server.url) as viewer:
        answers = await viewer.subscribe()
        await viewer.until(viewer.durable)
        stop.set()
        await publishing
        assert before_answer(viewer) == []
        first = viewer.durable()[0]
        assert first["cursor"] == cursor(
            answers[0]["cursor"].split(".")[0], int(answers[0]["cursor"].split(".")[1]) + 1
        )


async def test_concurrent_requests_are_answered_in_order(
    server: Serving, database: Database
) -> None:
    names = [f"pipeline-{n}" for n in range(8)]
    for name in names:
        await publish(database, [update()], name)
    stop = asyncio.Event()

    async def go_on() -> None:
        while not stop.is_set():  # seldom in the first, so that its status is still known
            for name in [names[0], *names[1:] * 4]:
                await publish(database, [update()], name)

    publishing = asyncio.create_task(go_on())
    async with watching(server.url, transports=["polling"]) as viewer:
        for _ in range(30):  # they go in one payload
            answers = [await viewer.send("subscribe", {"pipeline_id": names}) for _ in range(3)]
            await asyncio.gather(*answers)
    stop.set()
    await publishing
    _expect_places(viewer)


def _expect_places(viewer: Viewer) -> None:
    """Each answer has the cursor of the last event before it."""
    stands: dict[str, int] = {}
    for kind, body in viewer.received:
        if kind == "answer:subscribe":
            for one in body["pipelines"]:
                [position] = parse_cursor(one["cursor"]).positions.values()
                assert position.seq == stands.setdefault(one["pipeline_id"], position.seq)
        elif kind == "status:update":
            assert body["seq"] == stands[body["pipeline_id"]] + 1
            stands[body["pipeline_id"]] = body["seq"]


async def test_a_new_pipeline_is_shown_to_those_who_follow_all(
    server: Serving, database: Database
) -> None:
    await publish(database, [online()])
    async with (
        watching(server.url) as all_of_them,
        watching(server.url) as one_of_them,
        watching(server.url, pipelines=["local-*"]) as not_allowed,
        watching(server.url, namespace="/google_drive") as elsewhere,
    ):
        for viewer in (all_of_them, not_allowed, elsewhere):
            await viewer.subscribe()
        await one_of_them.subscribe(pipeline_id=PIPELINE)
        await publish(database, [online(), update()], "new")
        statuses = await all_of_them.until(
            lambda: [
                one for one in all_of_them.of("pipeline:status") if one["pipeline_id"] == "new"
            ]
        )
        assert len(statuses) == 1
        await publish(database, [update()], "new")
        await publish(database, [update()])
        await all_of_them.until(lambda: len(all_of_them.durable()) == 2)
        last = int(statuses[0]["cursor"].rpartition(".")[2])
        assert [one["seq"] for one in all_of_them.durable("new")] == list(range(last + 1, 4))
        for viewer in (one_of_them, not_allowed):
            await viewer.until(viewer.durable)
            assert {one["pipeline_id"] for one in viewer.durable()} == {PIPELINE}
        assert not elsewhere.durable()


async def test_viewers_of_a_replaced_log_get_the_new_one(
    server: Serving, database: Database
) -> None:
    await publish(database, [online(), update()])
    async with watching(server.url) as viewer:
        await viewer.subscribe(pipeline_id=PIPELINE)
        await database.execute("DELETE FROM raglive.pipelines")
        await publish(database, [online(), update(), update()])
        epoch = await epoch_of(database)
        [status] = await viewer.until(
            lambda: [s for s in viewer.of("pipeline:status") if s["cursor"].startswith(epoch)]
        )
        await publish(database, [update()])
        await viewer.until(viewer.durable)
        last = int(status["cursor"].rpartition(".")[2])
        assert [event["seq"] for event in viewer.durable()] == list(range(last + 1, 5))


async def test_unsubscribing_ends_the_events(server: Serving, database: Database) -> None:
    for name in ("one", "two", "three"):
        await publish(database, [online()], name)
    async with watching(server.url) as viewer:
        await viewer.subscribe()
        answer = await viewer.ask("unsubscribe", {"pipeline_id": ["one", "unknown"]})
        assert StillSubscribed.model_validate(answer).pipelines == ["three", "two"]
        for name in ("one", "two"):
            await publish(database, [update()], name)
        await viewer.until(viewer.durable)
        assert [event["pipeline_id"] for event in viewer.durable()] == ["two"]
        assert (await viewer.ask("unsubscribe", {"pipeline_id": []}))["pipelines"] == [
            "three",
            "two",
        ]
        refused = await viewer.ask("unsubscribe", {"pipeline_type": "google_drive"})
        assert refused["error"]["code"] == "invalid_request"
        assert (await viewer.ask("unsubscribe"))["pipelines"] == []
        await publish(database, [update()], "two")
        await publish(database, [online()], "four")
        await viewer.subscribe(pipeline_id="one")
        await publish(database, [update()], "one")
        await viewer.until(lambda: len(viewer.durable()) == 2)
        assert [event["pipeline_id"] for event in viewer.durable()] == ["two", "one"]


async def test_conflated_events_have_no_seq_and_end_with_their_attempt(
    server: Serving, database: Database
) -> None:
    await publish(database, [online(), processing("a")])
    async with watching(server.url) as viewer, server.client(Role.PRODUCER) as producer:
        await viewer.subscribe()

        async def post(*events: dict[str, Any]) -> None:
            named = [{**event, "pipeline_id": PIPELINE} for event in events]
            answer = await producer.post("/v1/events", json={"events": named})
            assert answer.status_code == 200, answer.text

        await post(progress("a", 0.25), progress("a", 0.5))
        [latest] = await viewer.until(lambda: viewer.of("file:progress"))
        assert latest["progress"] == 0.5
        assert "seq" not in latest
        assert "cursor" not in latest
        await post(completed("a"), progress("a", 0.75))
        await post(progress("a", 0.8), processing("b"))
        await viewer.until(lambda: len(viewer.durable()) == 2)
        await post(progress("b", 0.1))
        await viewer.until(lambda: len(viewer.of("file:progress")) == 2)
        assert viewer.of("file:progress")[1]["file"]["id"] == "b"


async def test_a_heartbeat_names_the_head(server: Serving, database: Database) -> None:
    await publish(database, [online(), update()])
    beat = {"id": processing("x")["id"], "type": "heartbeat", "pipeline_id": PIPELINE}
    beat |= {"status": "alive", "uptime": 5, "memory_usage": 1000, "active_files": 0}
    async with watching(server.url) as viewer, server.client(Role.PRODUCER) as producer:
        [answer] = await viewer.subscribe()
        assert (await producer.post("/v1/events", json={"events": [beat]})).status_code == 200
        [heard] = await viewer.until(lambda: viewer.of("heartbeat"))
        assert (heard["head_seq"], heard["digest"]) == (2, answer["digest"])


async def test_two_servers_serve_the_same(database: Database) -> None:
    await publish(database, [online()])
    async with (
        serving(database) as first,
        serving(database) as second,
        watching(first.url) as one,
        watching(second.url) as two,
    ):
        cursors = {(await viewer.subscribe())[0]["cursor"] for viewer in (one, two)}
        assert len(cursors) == 1
        await publish(database, [update(), update()])
        await one.until(lambda: len(one.durable()) == 2)
        await two.until(lambda: len(two.durable()) == 2)
        assert one.durable() == two.durable()


async def test_viewers_are_told_of_a_removed_pipeline(server: Serving, database: Database) -> None:
    await publish(database, [processing("a"), offline()])
    async with (
        watching(server.url) as follower,
        watching(server.url) as viewer,
        watching(server.url, namespace="/pipelines") as elsewhere,
    ):
        await viewer.subscribe(pipeline_id=PIPELINE)
        await elsewhere.subscribe(pipeline_id=PIPELINE)
        [before] = await follower.subscribe()
        await remove_pipeline(database, await find_removable(database, PIPELINE))
        for one in (follower, viewer, elsewhere):
            told = await one.until(partial(one.of, "pipeline:removed"))
            assert told == [{"pipeline_id": PIPELINE}]
        refused = await viewer.ask("subscribe", {"pipeline_id": PIPELINE})
        assert refused["error"]["code"] == "not_found"
        after = await publish(database, [processing("a")])
        assert after > before["cursor"], "another epoch"
        await follower.until(lambda: follower.of("pipeline:status")[-1]["cursor"] == after)
        await viewer.until(lambda: viewer.of("pipeline:status")[-1]["cursor"] == after)
        await elsewhere.until(lambda: elsewhere.of("pipeline:status")[-1]["cursor"] == after)
