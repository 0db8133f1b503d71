"""The dashboard's limits for one address and one subject."""

from __future__ import annotations

from httpx import AsyncClient, Response

from raglive.store.pool import Database
from tests.integration.dashboard.serving import bearer, opened

ELSEWHERE = "203.0.113.7"


async def until_refused(http: AsyncClient, path: str, **headers: str) -> Response:
    """Send requests until one is refused."""
    for _ in range(50):
        answer = await http.get(path, headers=headers)
        if answer.status_code == 429:
            return answer
    raise AssertionError("it is never too much")


async def test_an_address_is_limited_with_and_without_a_token(database: Database) -> None:
    async with opened(
        database, client=ELSEWHERE, signed_in=False, RAGLIVE_ADDRESS_REQUESTS_PER_SECOND="2"
    ) as http:
        for path in ("/api/session", "/api/search?q=x", "/api/rag-status"):
            refused = await until_refused(http, path)
            error = refused.json()["error"]
            assert (error["code"], error["retryable"]) == ("rate_limited", True)
            assert "RAGLIVE_ADDRESS_REQUESTS_PER_SECOND" in error["message"]
            assert int(refused.headers["Retry-After"]) >= 1
            assert refused.headers["X-Content-Type-Options"] == "nosniff"
        retry = await http.post("/api/pipelines/x/retry", json={}, headers=bearer("*"))
        assert retry.status_code == 429
        assert (await http.get("/api/health", headers=bearer("*"))).status_code != 429


async def test_a_subject_is_limited_across_addresses(database: Database) -> None:
    async with opened(
        database, client=ELSEWHERE, signed_in=False, RAGLIVE_SUBJECT_REQUESTS_PER_SECOND="2"
    ) as http:
        refused = await until_refused(http, "/api/session", **bearer("*"))
        assert "RAGLIVE_SUBJECT_REQUESTS_PER_SECOND" in refused.json()["error"]["message"]


async def test_this_machine_has_no_limit_without_a_proxy(database: Database) -> None:
    async with opened(database, RAGLIVE_ADDRESS_REQUESTS_PER_SECOND="2") as http:
        answers = [await http.get("/api/rag-status") for _ in range(50)]
        assert {answer.status_code for answer in answers} == {200}
        await until_refused(http, "/api/rag-status", Via="1.1 proxy")
