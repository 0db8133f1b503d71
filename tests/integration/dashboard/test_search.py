"""Search over HTTP, within the caller's rights."""

from __future__ import annotations

from hashlib import sha256

import pytest
from httpx import AsyncClient, Response

from raglive.embedding import EmbeddingConfig, create_embedder
from raglive.search.service import SearchConfig, SearchRequest, SearchService
from raglive.store.index.documents import EmbeddedChunk, replace_document
from raglive.store.index.vector_space import VectorSpace, choose_vector_space
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.errors import RagliveError
from raglive_contract.http import SearchAnswer
from tests.integration.dashboard.serving import COMPLETED, Work, bearer, opened

TEXTS = {
    "boiler.md": "The boiler must be descaled every two years.",
    "travel.pdf": "Hotels in Paris are reimbursed up to 180 euros a night.",
}


@pytest.fixture
async def indexed(database: Database) -> Database:
    """A pipeline with two files, embedded by the model that comes with raglive."""
    embedder = await create_embedder(EmbeddingConfig())
    space = VectorSpace(embedder.provider, embedder.model, embedder.dimensions)
    await choose_vector_space(database, space)
    work = Work(await PipelineRecord.register(database, "local-files-pipeline", "local_files"))
    for name, text in TEXTS.items():
        await work.queue(name)
        job = await work.start()
        [vector] = await embedder.embed([text])
        chunk = EmbeddedChunk(0, text, 0, len(text), 1, sha256(text.encode()).digest(), vector)
        async with work.jobs.ending(job, COMPLETED) as c:
            await replace_document(c, job.file_key, [chunk])
    await embedder.close()
    return database


async def ask(http: AsyncClient, **query: object) -> SearchAnswer:
    response = await http.get("/api/search", params=query)  # type: ignore[arg-type]
    assert response.status_code == 200, response.text
    return SearchAnswer.model_validate(response.json())


def refusal(response: Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
async def test_a_question_is_answered_without_a_status_server(indexed: Database, mode: str) -> None:
    async with opened(indexed) as http:
        answer = await ask(http, q="hotels in Paris", mode=mode)
        assert answer.mode == mode
        best = answer.hits[0]
        assert (best.file.name, best.page, best.content) == ("travel.pdf", 1, TEXTS["travel.pdf"])
        assert (best.similarity is None) == (mode == "text")
        kept = await ask(http, q="hotels in Paris", mode=mode, type="md", limit=1)
        assert [hit.file.name for hit in kept.hits] in (["boiler.md"], [])
        counted = f'raglive_search_seconds_count{{mode="{mode}",outcome="ok"}} 2.0'
        assert counted in (await http.get("/metrics")).text


async def test_a_token_finds_what_its_pipelines_hold_and_nothing_else(indexed: Database) -> None:
    async with opened(indexed, client="10.0.0.9", signed_in=False) as http:
        query = {"q": "boiler"}
        assert refusal(await http.get("/api/search", params=query)) == (401, "unauthenticated")
        mine = await http.get("/api/search", params=query, headers=bearer("local-*"))
        assert len(mine.json()["hits"]) == 2
        others = await http.get("/api/search", params=query, headers=bearer("google-*"))
        assert others.json()["hits"] == []
        asked = query | {"pipeline_id": "local-files-pipeline"}
        forbidden = await http.get("/api/search", params=asked, headers=bearer("google-*"))
        missing = query | {"pipeline_id": "no-such"}
        unknown = await http.get("/api/search", params=missing, headers=bearer("*"))
        assert refusal(forbidden) == refusal(unknown) == (404, "not_found")


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"q": ""},
        {"q": "   "},
        {"q": "a\0b"},
        {"q": "x" * 2001},
        {"q": "x", "mode": "magic"},
        {"q": "x", "limit": 101},
        {"q": "x", "type": "%"},
        {"q": "x", "since": "yesterday"},
        {"q": "x", "since": "2026-01-01"},
        {"q": "x", "since": "1.5"},
        {"q": "x", "until": "1767225600"},
    ],
)
async def test_invalid_search_parameters_are_refused(
    http: AsyncClient, wrong: dict[str, str]
) -> None:
    assert refusal(await http.get("/api/search", params=wrong)) == (422, "invalid_request")


@pytest.mark.parametrize("text", ["caf\udce9", "a\0b", "x" * 2001])
async def test_invalid_questions_of_a_terminal_are_refused(database: Database, text: str) -> None:
    with pytest.raises(RagliveError) as refused:
        await SearchService(database, SearchConfig()).search(SearchRequest(text))
    assert refused.value.code == "invalid_request"


async def test_an_index_that_is_still_empty_answers_nothing(http: AsyncClient) -> None:
    assert (await ask(http, q="boiler")).hits == []


async def test_an_index_of_another_model_is_not_compared_with(
    database: Database, pipeline: PipelineRecord
) -> None:
    """The fixture's pipeline has a model of another name."""
    async with opened(database) as http:
        answer = await http.get("/api/search", params={"q": "boiler"})
        assert refusal(answer) == (409, "embedding_model_changed")
        assert (await ask(http, q="boiler", mode="text")).hits == []
