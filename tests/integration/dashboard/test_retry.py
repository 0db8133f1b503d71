from __future__ import annotations

from httpx import AsyncClient

from raglive.store.log.event_log import EventLog
from raglive.store.log.new_events import new_event_id
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.model import now
from raglive_contract.permissions import Role
from raglive_contract.wire import NewFileFailed
from tests.integration.dashboard.serving import Work, bearer, opened

PATH = "/api/pipelines/local-files-pipeline/retry"


async def states(database: Database) -> dict[str, str]:
    rows = await database.fetch("SELECT name, state FROM raglive.files")
    return {row["name"]: row["state"] for row in rows}


async def test_failed_files_are_tried_again_and_keep_their_diagnosis(
    http: AsyncClient, work: Work, database: Database, pipeline: PipelineRecord
) -> None:
    await work.fail("broken.pdf")
    await work.fail("slow.pdf", code="extraction_timeout", retryable=True)
    await work.complete("good.txt")

    answer = await http.post(PATH, json={"code": "extraction_timeout"})
    assert (answer.status_code, answer.json()) == (200, {"requeued": 1})
    assert await states(database) == {
        "broken.pdf": "failed",
        "slow.pdf": "queued",
        "good.txt": "completed",
    }
    again = await work.start()
    assert (again.name, again.attempt, again.tries) == ("slow.pdf", 2, 1)
    [first] = await database.fetch(
        "SELECT error FROM raglive.attempts WHERE file_key = $1 AND attempt = 1", again.file_key
    )
    assert first["error"]["code"] == "extraction_timeout"

    assert (await http.post(PATH, json={})).json() == {"requeued": 1}
    assert (await http.post(PATH, json={"file_ids": ["id:/good.txt"]})).json() == {"requeued": 0}
    last = await database.fetchval(
        "SELECT payload FROM raglive.events WHERE pipeline_key = $1 ORDER BY seq DESC LIMIT 1",
        pipeline.key,
    )
    assert last["changes"]["files_requeued"]["count"] == 1
    assert last["changes"]["asked_by"] == "me"


async def test_it_takes_an_operator(database: Database, work: Work) -> None:
    await work.fail("broken.pdf")
    async with opened(database, client="10.0.0.7", signed_in=False) as http:
        assert (await http.post(PATH, json={})).status_code == 401
        assert (await http.post(PATH, json={}, headers=bearer("*"))).status_code == 403
        elsewhere = bearer("other-*", role=Role.OPERATOR)
        assert (await http.post(PATH, json={}, headers=elsewhere)).status_code == 404
        operator = bearer("local-*", role=Role.OPERATOR)
        assert (await http.post(PATH, json={}, headers=operator)).json() == {"requeued": 1}


async def test_files_of_another_program_are_refused(http: AsyncClient, database: Database) -> None:
    failed = NewFileFailed(
        id=new_event_id(),
        timestamp=now(),
        type="file:failed",
        file={"id": "a", "name": "a.pdf", "failed_at": now()},
        error={"type": "X", "code": "extraction_error", "message": "broken", "retryable": False},
        success=False,
        attempt=1,
    )
    await EventLog(database).publish("crm", "crm", [failed])
    refused = await http.post("/api/pipelines/crm/retry", json={})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
