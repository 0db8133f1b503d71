from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from fastapi import FastAPI, Request
from httpx import ASGITransport, AsyncClient
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from raglive.http_api.middleware import BodyLimit, RequestLog
from raglive.http_api.responses import install_error_handlers
from raglive_contract.errors import ErrorBody, ErrorCode, ErrorResponse, RagliveError
from raglive_contract.http import SocketTestRequest


def broken(error: Exception) -> Callable[[], Awaitable[None]]:
    async def route() -> None:
        raise error

    return route


async def post(body: SocketTestRequest) -> str:
    return body.pipelineType


async def read(request: Request) -> int:
    return len(await request.body())


@pytest.fixture
async def http() -> AsyncIterator[AsyncClient]:
    app = FastAPI()
    app.add_middleware(BodyLimit, limit=100)
    app.add_middleware(RequestLog)
    install_error_handlers(app)
    app.add_api_route("/number", lambda n: n, methods=["GET"])
    app.add_api_route("/body", post, methods=["POST"])
    app.add_api_route("/raw", read, methods=["POST"])
    slow = RagliveError("Slow.", code=ErrorCode.RATE_LIMITED, retryable=True, retry_after_ms=1500)
    app.add_api_route("/slow", broken(slow))
    app.add_api_route("/bug", broken(KeyError("hunter2")))
    app.add_api_route("/down", broken(asyncpg.CannotConnectNowError("host 10.0.0.3")))
    app.add_api_route("/refused", broken(ConnectionRefusedError("10.0.0.3")))
    transport = ASGITransport(app)
    async with AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("POST", "/slow", 405, "method_not_allowed"),
        ("GET", "/number", 422, "invalid_request"),
        ("GET", "/slow", 429, "rate_limited"),
        ("GET", "/bug", 500, "internal"),
        ("GET", "/down", 503, "unavailable"),
        ("GET", "/refused", 503, "unavailable"),
    ],
)
async def test_every_error_is_the_error_object(
    http: AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    response = await http.request(method, path, headers={"X-Request-ID": "abc-1"})
    assert response.status_code == status
    error = ErrorBody.model_validate(response.json()["error"])
    assert (error.code, error.request_id) == (code, "abc-1")
    assert response.headers["X-Request-ID"] == "abc-1"
    assert not any(secret in response.text for secret in ("hunter2", "10.0.0.3", "Traceback"))


async def test_a_refusal_has_retry_after(http: AsyncClient) -> None:
    response = await http.get("/slow")
    assert response.headers["Retry-After"] == "2"
    assert response.json()["error"]["retry_after_ms"] == 1500
    assert response.json()["error"]["retryable"] is True


async def test_faults_name_the_field_and_not_the_value(http: AsyncClient) -> None:
    response = await http.post("/body", json={"pipelineType": "S3 secret"})
    assert response.status_code == 422
    message = response.json()["error"]["message"]
    assert "body.pipelineType" in message
    assert "S3 secret" not in message


async def test_a_request_without_a_usable_id_gets_one(http: AsyncClient) -> None:
    given = [await http.get("/x", headers={"X-Request-ID": bad}) for bad in ("", "a b", "x" * 200)]
    ids = {response.headers["X-Request-ID"] for response in given}
    assert len(ids) == 3
    assert all(len(request_id) == 36 for request_id in ids)


async def test_a_request_is_one_line_in_the_log_without_its_query(http: AsyncClient) -> None:
    with capture_logs() as lines:
        await http.get("/number?n=hunter2")
    (line,) = lines
    assert (line["event"], line["method"], line["path"]) == ("request", "GET", "/number")
    assert (line["status"], "hunter2" in str(line)) == (200, False)
    assert line["duration_ms"] >= 0


async def test_bodies_are_limited_with_and_without_a_length(http: AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"x" * 50

    for path in ("/raw", "/body"):
        announced = await http.post(path, content=b"x" * 101)
        streamed = await http.post(path, content=chunks())
        for response in (announced, streamed):
            assert response.status_code == 413
            assert response.json()["error"]["code"] == "payload_too_large"
    assert (await http.post("/raw", content=b"x" * 100)).json() == 100
    packed = await http.post("/raw", content=b"x", headers={"Content-Encoding": "gzip"})
    assert packed.status_code == 422
    assert "Compressed bodies are not read" in packed.json()["error"]["message"]


async def test_a_request_that_is_cancelled_by_the_end_of_the_server_is_answered() -> None:
    started = asyncio.Event()
    sent: list[Message] = []

    async def hang(_scope: Scope, _receive: Receive, _send: Send) -> None:
        started.set()
        await asyncio.Event().wait()

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": "POST", "path": "/v1/events", "headers": []}
    request = asyncio.create_task(RequestLog(hang)(scope, receive, send))
    await started.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert sent[0]["status"] == 503
    error = ErrorResponse.model_validate_json(sent[1]["body"]).error
    assert (error.code, error.retryable) == ("unavailable", True)
