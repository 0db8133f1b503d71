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
from raglive.dashboard.page_tokens import Sessions, SignIn
from raglive.dashboard.rag_status import entity_tag, full_status, poll_status, redacted
from raglive.dashboard.socket_check import SocketTester, socket_info
from raglive.dashboard.status_cache import StatusCache
from raglive.dashboard.status_probe import StatusProbe
from raglive.dashboard.status_server_address import StatusServerAddress
from raglive.http_api.authentication import bearer_token
from raglive.http_api.openapi import refusals
from raglive.http_api.responses import json_response
from raglive.log_reader.shared_read import SharedRead
from raglive.store.log.pipeline_status import PipelineReads
from raglive_contract.cursor import CURSOR_PATTERN
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
    stale_seconds: float
    _database_read: SharedRead[dict[str, Any]] = field(default_factory=SharedRead)

    async def database_health(self) -> dict[str, Any]:
        """Build `DatabaseHealth`; concurrent probes, which need no token, share one query."""
        return await self._database_read.join(lambda: database_health(self.reads))


class StatusQuery(BaseModel):
    """The query parameters of `/api/rag-status`."""

    pipeline_id: Annotated[str, Field(max_length=127)] | None = None
    cursor: (
        Annotated[  # a URL holds 64 KiB in total
            str, Field(max_length=60_000, json_schema_extra={"pattern": CURSOR_PATTERN})
        ]
        | None
    ) = None
    wait: float = Field(0, ge=0, description="seconds to wait for an event, at most 30")


def add_endpoints(api: FastAPI, services: DashboardServices) -> None:
    """Add the endpoints below `/api` other than those of pipelines and search."""
    api.add_api_route(
        "/rag-status",
        rag_status_endpoint(services),
        response_model=RagStatus,
        responses=refusals(401, 403, 404, 410, 429, 503)
        | {304: {"description": "Nothing has changed since the `ETag` of `If-None-Match`"}},
        openapi_extra={"parameters": _parameters(StatusQuery)},
    )
    _add_sessions(api, services)
    _add_socket(api, services)
    _add_health(api, services)


def rag_status_endpoint(services: DashboardServices) -> Callable[[Request], Awaitable[Response]]:
    """Create the endpoint `rag-status`, which parses its own parameters."""
    address, stale_seconds = services.address, services.stale_seconds

    async def rag_status(request: Request) -> Response:
        """Return the whole status and the events since `cursor`; 304 if nothing has changed."""
        arrived_at = asyncio.get_running_loop().time()
        grant = await services.grant_of(request)
        grant.check_viewing_role()
        query = _status_query(request)
        poll = await poll_status(
            services.cache,
            lambda status: status.visible(grant, query.pipeline_id),
            query.cursor,
            query.wait,
        )
        if grant.redact:
            poll = redacted(poll, services.redaction)
        is_available = (await services.probe.recent()).is_available
        tag = entity_tag(poll, is_fallback=not is_available, stale_seconds=stale_seconds)
        headers = {
            "ETag": tag,
            "Cache-Control": "private, no-cache",
            "Vary": "Authorization",
            "X-Read-After-Ms": f"{(poll.read_at - arrived_at) * 1000:.0f}",
        }
        if _is_known(tag, request):
            return Response(status_code=304, headers=headers)
        body = full_status(
            poll,
            websocket_url=address.origin(request),
            namespaces=address.namespaces,
            is_available=is_available,
            stale_seconds=stale_seconds,
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


def _status_query(request: Request) -> StatusQuery:
    try:
        return StatusQuery.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise RequestValidationError(
            [fault | {"loc": ("query", *fault["loc"])} for fault in error.errors()]
        ) from None


def _parameters(query: type[BaseModel]) -> list[dict[str, Any]]:
    fields = query.model_json_schema()["properties"]
    return [{"name": name, "in": "query", "schema": schema} for name, schema in fields.items()]


def _is_known(tag: str, request: Request) -> bool:
    given = request.headers.get("if-none-match")
    if given is None:
        return False
    return any(one.strip().removeprefix("W/") in {tag, "*"} for one in given.split(","))
