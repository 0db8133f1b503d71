from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from httpx import AsyncClient, Response

from raglive.store.index.documents import EmbeddedChunk, replace_document
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.http import (
    ChunkPage,
    EventPage,
    FailureGroups,
    FileDetail,
    FilePage,
    PipelineList,
)
from raglive_contract.snapshot import PipelineStatus
from raglive_contract.summary import Throughput
from tests.integration.dashboard.serving import COMPLETED, Work, bearer, opened

PIPELINE = "/api/pipelines/local-files-pipeline"


async def get(http: AsyncClient, path: str, **query: Any) -> dict[str, Any]:
    response = await http.get(path, params=query)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def refusal(response: Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


async def pages(http: AsyncClient, path: str, items: str, turn: str, **query: Any) -> list[Any]:
    found: list[Any] = []
    while True:
        body = await get(http, path, **query)
        found += body[items]
        if body["next"] is None:
            return found
        query[turn] = body["next"]


async def test_pipelines_are_listed_and_shown(http: AsyncClient, work: Work) -> None:
    await work.pipeline.announce_online(60, "/documents")
    listed = await get(http, "/api/pipelines")
    PipelineList.model_validate(listed)
    shown = await get(http, PIPELINE)
    PipelineStatus.model_validate(shown)
    assert [one["pipeline_id"] for one in listed["pipelines"]] == ["local-files-pipeline"]
    assert (shown["status"], shown["watch_location"]) == ("online", "/documents")


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("updated", ["f.txt", "e.txt", "D.txt", "c.txt", "b.txt", "a.txt"]),
        ("name", ["a.txt", "b.txt", "c.txt", "D.txt", "e.txt", "f.txt"]),
        ("size", ["c.txt", "e.txt", "a.txt", "f.txt", "D.txt", "b.txt"]),
    ],
)
async def test_files_come_in_every_order_page_by_page(
    http: AsyncClient, work: Work, sort: str, expected: list[str]
) -> None:
    sizes = {"a.txt": 5, "b.txt": None, "c.txt": 900, "D.txt": 0, "e.txt": 30, "f.txt": 5}
    for name, size in sizes.items():
        await work.queue(name, size=size)
    for limit in (1, 4, 6, 100):
        files = await pages(http, f"{PIPELINE}/files", "files", "after", sort=sort, limit=limit)
        names = [file["name"] for file in files]
        if sort == "size":  # equal sizes: whichever is newer
            assert [sizes[name] for name in names] == [900, 30, 5, 5, 0, None]
            assert sorted(names) == sorted(expected)
        else:
            assert names == expected


async def test_files_are_filtered_by_state_and_by_part_of_their_path(
    http: AsyncClient, work: Work
) -> None:
    await work.complete("done.txt")
    await work.fail("Broken 100%.pdf")
    await work.skip("locked.pdf", "encrypted")
    await work.queue("waiting.txt", folder="Über/mich")

    async def names(**query: Any) -> list[str]:
        body = await get(http, f"{PIPELINE}/files", sort="name", **query)
        page = FilePage.model_validate(body)
        assert page.total == len(page.files)
        return [file.name for file in page.files]

    assert await names(state="failed") == ["Broken 100%.pdf"]
    assert await names(state=["failed", "skipped"]) == ["Broken 100%.pdf", "locked.pdf"]
    assert await names(q="PDF") == ["Broken 100%.pdf", "locked.pdf"]
    assert await names(q="0%.") == ["Broken 100%.pdf"]
    assert await names(q="mich/w") == ["waiting.txt"]
    assert await names(q="%") == ["Broken 100%.pdf"]
    assert await names(q="nowhere") == []
    assert await names(state="deleted") == []
    assert len(await names()) == 4


@pytest.mark.parametrize(
    "query",
    [
        "after=x",
        "after=WyJuYW1lIiwiYSIsMV0=",  # of the order by name
        "after=WyJ1cGRhdGVkIiw5ZTk5LDFd",
        "after=" + "W1td" * 10,
        "limit=0",
        "limit=501",
        "sort=colour",
        "state=asleep",
        "q=%00",
        "q=" + "x" * 201,
    ],
)
async def test_questions_that_make_no_sense_are_refused(
    http: AsyncClient, work: Work, query: str
) -> None:
    refused = await http.get(f"{PIPELINE}/files?{query}")
    assert refusal(refused) == (422, "invalid_request")


@pytest.mark.disagrees
async def test_a_file_is_shown_with_its_attempts_and_text(http: AsyncClient, work: Work) -> None:
    await work.queue("a b?#%.txt", folder="x/ü")
    job = await work.start()
    await work.jobs.requeue(job, 0)
    job = await work.start()
    chunks = [chunk(n) for n in range(25)]
    async with work.jobs.ending(job, COMPLETED) as done:
        await replace_document(done, job.file_key, chunks)
    body = await get(http, f"{PIPELINE}/files/{quote(job.file_id, safe='')}")
    detail = FileDetail.model_validate(body)
    assert (detail.file.id, detail.file.folder) == (job.file_id, "x/ü")
    assert [made.outcome for made in detail.attempts] == ["completed", "cancelled"]
    assert [one.chunk_index for one in detail.chunks] == list(range(20))
    assert detail.chunk_count == 25
    assert await get(http, f"{PIPELINE}/files/{quote(job.file_id)}") == body  # slashes as such


@pytest.mark.disagrees
async def test_chunks_come_in_order_page_by_page(http: AsyncClient, work: Work) -> None:
    await work.queue("long.txt", folder="x/ü")
    job = await work.start()
    async with work.jobs.ending(job, COMPLETED) as done:
        await replace_document(done, job.file_key, [chunk(n) for n in range(25)])
    texts = [f"chunk {number}" for number in range(25)]
    listed = f"{PIPELINE}/chunks"
    for limit in (1, 5, 24, 25, 26):
        paged = await pages(http, listed, "chunks", "after", file_id=job.file_id, limit=limit)
        assert [one["content"] for one in paged] == texts
    detail = await get(http, f"{PIPELINE}/files/{quote(job.file_id)}")
    shown = detail["chunks"][-1]["chunk_index"]  # a page follows the beginning that a file shows
    rest = ChunkPage.model_validate(await get(http, listed, file_id=job.file_id, after=shown))
    assert [one.content for one in rest.chunks] == texts[20:]
    assert rest.next is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", (422, "invalid_request")),
        ("file_id=%00", (422, "invalid_request")),
        ("file_id=x&after=-1", (422, "invalid_request")),
        ("file_id=x&after=2147483648", (422, "invalid_request")),
        ("file_id=x&limit=501", (422, "invalid_request")),
        ("file_id=x", (404, "not_found")),
    ],
)
async def test_chunks_that_cannot_be_listed_are_refused(
    http: AsyncClient, work: Work, query: str, expected: tuple[int, str]
) -> None:
    assert refusal(await http.get(f"{PIPELINE}/chunks?{query}")) == expected


def chunk(number: int) -> EmbeddedChunk:
    text = f"chunk {number}"
    digest = hashlib.sha256(text.encode()).digest()
    return EmbeddedChunk(number, text, 0, 7, 1, digest, np.ones(256, np.float32))


async def test_a_file_that_waits_for_a_retry_says_until_when(http: AsyncClient, work: Work) -> None:
    await work.fail("a.txt", retryable=True, next_attempt_at="2999-01-01T00:00:00.000Z")
    [file] = (await get(http, f"{PIPELINE}/files"))["files"]
    assert (file["state"], file["next_attempt_at"]) == ("queued", "2999-01-01T00:00:00.000Z")
    assert file["error"]["code"] == "extraction_error"


async def test_events_come_newest_first_between_cursors(http: AsyncClient, work: Work) -> None:
    await work.pipeline.announce_online(60, "/documents")
    await work.complete("a.txt", "b.txt")
    body = await get(http, f"{PIPELINE}/events")
    page = EventPage.model_validate(body)
    assert page.cursor == body["events"][0]["cursor"]
    assert len(page.digest) == 64
    seqs = [event["seq"] for event in body["events"]]
    assert seqs == list(range(seqs[0], 0, -1))

    paged = await pages(http, f"{PIPELINE}/events", "events", "before", limit=2)
    assert paged == body["events"]
    after = body["events"][3]["cursor"]
    newer = await get(http, f"{PIPELINE}/events", after=after)
    assert newer["events"] == body["events"][:3]
    ends = await get(http, f"{PIPELINE}/events", type=["file:completed", "pipeline:online"])
    assert {event["type"] for event in ends["events"]} == {"file:completed", "pipeline:online"}
    of_file = await get(http, f"{PIPELINE}/events", file_id="id:/a.txt", limit=1)
    assert [event["file"]["name"] for event in of_file["events"]] == ["a.txt"]
    assert of_file["next"] is not None


async def test_events_of_another_log_are_refused(http: AsyncClient, work: Work) -> None:
    for cursor, expected in (
        ("0123456789abcdef.0000000000000001", (410, "cursor_expired")),
        ("5", (400, "cursor_invalid")),
    ):
        refused = await http.get(f"{PIPELINE}/events", params={"before": cursor})
        assert refusal(refused) == expected
    unknown = await http.get(f"{PIPELINE}/events", params={"type": "file:progress"})
    assert refusal(unknown) == (422, "invalid_request")


async def test_failures_are_grouped_with_what_to_do(http: AsyncClient, work: Work) -> None:
    for name in ("a.txt", "b.txt"):
        await work.fail(name, message=f"No: {name}", stage="extraction")
    for name in ("c.txt", "e.txt"):
        await work.fail(name, code="embedding_timeout")
    await work.skip("d.pdf", "encrypted")
    groups = FailureGroups.model_validate(await get(http, f"{PIPELINE}/failures")).groups
    found = [(g.state, g.code, g.stage, g.count, g.message, g.is_common) for g in groups]
    assert found == [
        ("failed", "embedding_timeout", None, 2, "No.", True),
        ("failed", "extraction_error", "extraction", 2, "No: b.txt", False),
        ("skipped", "encrypted", None, 1, "Nothing in it.", True),
    ]
    assert all(group.what_to_do for group in groups)
    assert "raglive retries" not in groups[0].what_to_do  # it has given up


async def test_throughput_has_a_bucket_for_each_minute(http: AsyncClient, work: Work) -> None:
    await work.complete("a.txt", "b.txt")
    await work.fail("c.txt")
    body = await get(http, f"{PIPELINE}/throughput")
    throughput = Throughput.model_validate(body)
    starts = [bucket.start.timestamp() for bucket in throughput.buckets]
    assert len(starts) == 30
    assert {later - earlier for earlier, later in pairwise(starts)} == {60}
    lately = throughput.buckets[-2:]  # a minute may have turned
    assert sum(bucket.completed for bucket in lately) == 2
    assert sum(bucket.failed for bucket in lately) == 1


async def test_missing_and_forbidden_look_alike(database: Database, work: Work) -> None:
    await PipelineRecord.register(database, "secret", "local_files")
    async with opened(database, client="10.0.0.7", signed_in=False) as http:
        for end in (
            "",
            "/files",
            "/files/x",
            "/chunks?file_id=x",
            "/events",
            "/failures",
            "/throughput",
        ):
            bodies = []
            for name in ("secret", "missing", "%00", "..%2fsecret"):
                path = f"/api/pipelines/{name}{end}"
                answer = await http.get(path, headers=bearer("local-*"))
                bodies.append((refusal(answer), answer.json()["error"]["message"]))
            assert set(bodies[:2]) == {bodies[0]}
            assert bodies[0][0] == (404, "not_found")
            assert {body[0] for body in bodies} == {(404, "not_found")}
        missing = await http.get(f"{PIPELINE}/files/nothing", headers=bearer("*"))
        assert refusal(missing) == (404, "not_found")
        assert (await http.get("/api/pipelines")).status_code == 401
        assert refusal(await http.get("/api/nothing")) == (404, "not_found")
        assert refusal(await http.post("/api/pipelines")) == (405, "method_not_allowed")
