"""The dashboard's own endpoints."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field, ValidationError

from raglive.dashboard.health import (
    database_health,
    pipelines_health,
    system_health,
    websocket_health,
)
from raglive.dashboard.metrics import DashboardMetrics
from raglive.dashboard.page_tokens import Sessions, SignIn
from raglive.dashboard.rag_status import StatusAnswer, entity_tag, full_status
from raglive.dashboard.seen_pipelines import SEEN_PATTERN, SeenPipelines, volatile
from raglive.dashboard.socket_check import SocketTester, socket_info
from raglive.dashboard.status_cache import StatusCache
from raglive.dashboard.status_poll import Question, read_answer, wait_for_news
from raglive.dashboard.status_probe import StatusProbe
from raglive.dashboard.status_server_address import StatusServerAddress
from raglive.http_api.authentication import bearer_token
from raglive.http_api.openapi import refusals
from raglive.http_api.responses import json_response
from raglive.log_reader.shared_read import SharedRead
from raglive.store.log.pipeline_status import PipelineReads
from raglive_contract.cursor import CURSOR_PATTERN, MAX_TEXT_LENGTH, Cursor, Start, parse_cursor
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.http import (
    RagStatus,
    Session,
    SignedIn,
    SignInRequest,
    SocketInfo,
    SocketTest,
    SocketTestRequest,
    SystemHealth,
    SystemState,
)
from raglive_contract.permissions import Grant, Role
from raglive_contract.redaction import Redaction

__all__ = ["DashboardServices", "add_endpoints"]


WHOLE_SYSTEM = Grant(Role.VIEWER, ("*",))


@dataclass(frozen=True, slots=True)
class DashboardServices:
    """The services that the endpoints use."""

    cache: StatusCache
    reads: PipelineReads
    grant_of: Callable[[Request], Awaitable[Grant]]
    sessions: Sessions
    sign_in: SignIn
    redaction: Redaction
    address: StatusServerAddress
    probe: StatusProbe
    metrics: DashboardMetrics
    stale_seconds: float
    _database_read: SharedRead[dict[str, Any]] = field(default_factory=SharedRead)

    async def database_health(self) -> dict[str, Any]:
        """Build `DatabaseHealth`; concurrent probes, which need no token, share one query."""
        return await self._database_read.join(lambda: database_health(self.reads))


class StatusQuery(BaseModel):
    """The parameters of `/api/rag-status`."""

    pipeline_id: Annotated[str, Field(max_length=127)] | None = None
    cursor: (
        Annotated[
            str, Field(max_length=MAX_TEXT_LENGTH, json_schema_extra={"pattern": CURSOR_PATTERN})
        ]
        | None
    ) = None
    seen: (
        Annotated[
            str, Field(max_length=MAX_TEXT_LENGTH, json_schema_extra={"pattern": SEEN_PATTERN})
        ]
        | None
    ) = Field(
        None,
        description="`seen` of the answer that sent the cursor, empty at first: "
        "send only the pipelines that have changed since",
    )
    wait: float = Field(0, ge=0, description="seconds to wait for an event, at most 30")


def add_endpoints(api: FastAPI, services: DashboardServices) -> None:
    """Add the endpoints below `/api` other than those of pipelines and search."""
    endpoint = rag_status_endpoint(services)
    methods = ["GET", "POST"]  # of one route, which names both when it refuses another one
    api.add_api_route("/rag-status", endpoint, methods=methods, include_in_schema=False)
    api.add_api_route(
        "/rag-status",
        endpoint,
        response_model=RagStatus,
        responses=refusals(400, 401, 403, 404, 410, 429, 503)
        | {304: {"description": "Nothing has changed since the `ETag` of `If-None-Match`"}},
        openapi_extra={"parameters": _parameters(StatusQuery)},
    )
    api.add_api_route(
        "/rag-status",
        endpoint,
        methods=["POST"],
        name="rag_status_of_many",
        summary="Rag Status of many pipelines",
        description="As GET, with the parameters in a JSON object, for cursors that are too long "
        "for a URL. The answer is never 304.",
        response_model=RagStatus,
        responses=refusals(400, 401, 403, 404, 410, 413, 429, 503),
        openapi_extra={"requestBody": _body(StatusQuery)},
    )
    _add_sessions(api, services)
    _add_socket(api, services)
    _add_health(api, services)


def rag_status_endpoint(services: DashboardServices) -> Callable[[Request], Awaitable[Response]]:
    """Create the endpoint `rag-status`, which parses its own parameters."""
    address = services.address

    async def rag_status(request: Request) -> Response:
        """Return the whole status and the events since `cursor`; 304 if nothing has changed."""
        with services.metrics.polling():
            response = await answer_poll(request)
        services.metrics.answered(response.status_code)
        return response

    async def answer_poll(request: Request) -> Response:
        arrived_at = asyncio.get_running_loop().time()
        grant = await services.grant_of(request)
        grant.check_viewing_role()
        query = await _status_query(request)
        question = _question(query, grant, services)
        wait = query.wait if query.cursor is not None else 0.0  # without a cursor, nothing is new
        poll = await wait_for_news(services.cache, question, wait)
        is_available = (await services.probe.recent()).is_available

        def tag(answer: StatusAnswer) -> str:
            told = _told(answer, services, not is_available, grant.redact)
            return entity_tag(answer, told)

        headers = {
            "Cache-Control": "private, no-cache",
            "Vary": "Authorization",
            "X-Read-After-Ms": f"{(poll.status.read_at - arrived_at) * 1000:.0f}",
        }
        if poll.is_unchanged and _is_known(unchanged := tag(poll.unchanged()), request):
            services.cache.refresh_summaries(poll.rows)
            return Response(status_code=304, headers=headers | {"ETag": unchanged})
        answer = await read_answer(services.cache, poll)
        headers["ETag"] = tag(answer)
        body = full_status(
            answer,
            websocket_url=address.origin(request),
            namespaces=address.namespaces,
            is_available=is_available,
        )
        return json_response(body, headers=headers)

    return rag_status


def _add_sessions(api: FastAPI, services: DashboardServices) -> None:
    @api.get("/session", response_model=Session, responses=refusals(401, 429, 503))
    async def session(request: Request) -> Response:
        """Issue a short-lived token for the page, with the caller's rights."""
        return json_response(await services.sessions.session(request))

    @api.post(
        "/sign-in",
        response_model=SignedIn,
        responses=refusals(401, 403, 413, 422, 429, 503),
        openapi_extra={"security": []},
    )
    async def sign_in(request: Request, asked: SignInRequest) -> Response:
        """Exchange the one-time secret of `raglive up` for a token, on the same machine only."""
        return json_response(await services.sign_in.token(request, asked.secret))


def _add_socket(api: FastAPI, services: DashboardServices) -> None:
    address, probe = services.address, services.probe
    tester = SocketTester(address, probe)

    @api.get("/socket/info", response_model=SocketInfo, responses=refusals(401, 429, 503))
    async def info(request: Request) -> Response:
        """Report whether the status server accepts WebSocket connections."""
        await services.grant_of(request)
        found = await probe.fresh()
        headers = {"X-Socket-Health": found.verdict}
        return json_response(socket_info(found, address, request), headers=headers)

    @api.post(
        "/socket/test", response_model=SocketTest, responses=refusals(401, 413, 422, 429, 503)
    )
    async def test(request: Request, asked: SocketTestRequest) -> Response:
        """Connect to the status server as a viewer does, and ping it."""
        await services.grant_of(request)
        if asked.pipelineType not in address.pipeline_types:
            raise RagliveError(
                f"pipelineType must be one of {', '.join(address.pipeline_types)}.",
                code=ErrorCode.INVALID_REQUEST,
            )
        return json_response(await tester.test(asked.pipelineType, bearer_token(request)))


def _add_health(api: FastAPI, services: DashboardServices) -> None:
    started = time.monotonic()

    @api.get(
        "/health",
        response_model=SystemHealth | SystemState,
        responses=refusals(401, 429)
        | {503: {"model": SystemHealth | SystemState, "description": "Nothing works"}},
        openapi_extra={"security": [{}, {"token": []}]},
    )
    async def health(request: Request) -> Response:
        """Report the health of each service; without a token the state only; 503 if unhealthy."""
        has_token = "authorization" in request.headers
        grant = await services.grant_of(request) if has_token else WHOLE_SYSTEM
        database, found = await asyncio.gather(services.database_health(), services.probe.fresh())
        pipelines: dict[str, Any] = {}
        if database["status"] == "healthy":
            rows = (await services.cache.current()).visible(grant, None)
            pipelines = pipelines_health(rows, services.stale_seconds)
        websocket = websocket_health(found, services.address.origin(request))
        body = system_health(database, websocket, pipelines, time.monotonic() - started)
        if not has_token:
            body = {name: body[name] for name in SystemState.model_fields}
        status = 503 if body["status"] == "unhealthy" else 200
        return json_response(body, status, {"X-Health-Status": body["status"]})


async def _status_query(request: Request) -> StatusQuery:
    place = "query" if request.method == "GET" else "body"
    try:
        if place == "query":
            return StatusQuery.model_validate(dict(request.query_params))
        return StatusQuery.model_validate_json(await request.body())
    except ValidationError as error:
        raise RequestValidationError(
            [fault | {"loc": (place, *fault["loc"])} for fault in error.errors()]
        ) from None


def _question(query: StatusQuery, grant: Grant, services: DashboardServices) -> Question:
    cursor = Cursor(otherwise=Start.NOW) if query.cursor is None else parse_cursor(query.cursor)
    return Question(
        lambda status: status.visible(grant, query.pipeline_id),
        services.stale_seconds,
        cursor,
        None if query.seen is None else SeenPipelines.parse(query.seen, cursor),
        services.redaction if grant.redact else None,
    )


def _told(
    answer: StatusAnswer, services: DashboardServices, is_fallback: bool, is_redacted: bool
) -> object:
    """What an answer depends on besides its cursor; None if everything is at rest and as usual."""
    moving: list[object] = []
    if answer.seen is None:  # otherwise it names the revisions
        for row in answer.rows:
            told = volatile(row, services.cache.summary(row), services.stale_seconds)
            if told is not None:
                moving.append((row.head.pipeline_key, told))
    found = (moving, is_fallback, is_redacted)
    return None if found == ([], False, False) else found


def _parameters(query: type[BaseModel]) -> list[dict[str, Any]]:
    fields = query.model_json_schema()["properties"]
    return [{"name": name, "in": "query", "schema": schema} for name, schema in fields.items()]


def _body(query: type[BaseModel]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": query.model_json_schema()}}}


def _is_known(tag: str, request: Request) -> bool:
    given = request.headers.get("if-none-match")
    if given is None or request.method != "GET":
        return False
    return any(one.strip().removeprefix("W/") in {tag, "*"} for one in given.split(","))
