"""The status server's own HTTP endpoints: health, status, metrics, and publishing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.requests import ClientDisconnect

from raglive import __version__
from raglive.http_api.authentication import Authenticator, bearer
from raglive.http_api.metrics import metrics_page
from raglive.http_api.openapi import body, refusals
from raglive.http_api.pipeline_pages import PipelineListQuery, pipeline_page
from raglive.http_api.probes import probe_routes
from raglive.http_api.responses import json_response
from raglive.http_api.tokens import Identity
from raglive.status_server.admission import AdmissionLimits
from raglive.status_server.metrics import StatusMetrics
from raglive.status_server.publishing import EventPublisher
from raglive.status_server.subscriptions.rooms import Rooms
from raglive.store.log.pipeline_status import PipelineReads
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.events import Submission
from raglive_contract.http import PipelineList, ServerHealth
from raglive_contract.redaction import Redaction
from raglive_contract.socket import PublishAck

__all__ = ["Readiness", "status_router"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """The state behind `/health`; `lag_seconds` is the age of the last complete read.

    `silent` names the services of the bus whose messages do not arrive. Events are then delivered
    by reading the log, so the server stays ready.
    """

    is_draining: bool
    lag_seconds: float
    is_lagging: bool
    silent: list[str]

    @property
    def fault(self) -> str | None:
        """Why viewers would not receive the current state."""
        if self.is_draining:
            return "the server is shutting down"
        if self.is_lagging:
            return f"the log was last read {self.lag_seconds:.0f} s ago"
        return None

    @property
    def problems(self) -> list[str]:
        """What is wrong."""
        silent = [f"messages do not arrive over {name}" for name in self.silent]
        return [self.fault, *silent] if self.fault else silent


def status_router(
    *,
    rooms: Rooms,
    publisher: EventPublisher,
    authenticator: Authenticator,
    limits: AdmissionLimits,
    redaction: Redaction,
    metrics: StatusMetrics,
    reads: PipelineReads,
    readiness: Callable[[], Readiness],
    stuck: Callable[[], str | None],
) -> APIRouter:
    """Make the router; those of pipelines and search are in `http_api`."""
    router = APIRouter()
    started = time.monotonic()

    def health() -> ServerHealth:
        state = readiness()
        return ServerHealth(
            status="degraded" if state.is_lagging or state.silent else "healthy",
            problems=state.problems,
            http_server="running",
            websocket_server="draining" if state.is_draining else "running",
            connected_clients=len(rooms),
            version=__version__,
            uptime=round(time.monotonic() - started, 3),
        )

    caller_of = Depends(bearer(authenticator, limits.request_of_subject))
    _add_health_routes(router, health, readiness, stuck)
    _add_status_routes(router, health, reads, redaction, caller_of)
    _add_metrics(router, metrics)
    _add_publishing(router, publisher, caller_of)
    return router


def _add_health_routes(
    router: APIRouter,
    health: Callable[[], ServerHealth],
    readiness: Callable[[], Readiness],
    stuck: Callable[[], str | None],
) -> None:
    @router.get("/health")
    async def read_health() -> ServerHealth:
        """Return the state of the server and the number of connected clients."""
        return health()

    async def unready() -> str | None:
        return readiness().fault

    router.routes.extend(probe_routes(unready, stuck))


def _add_status_routes(
    router: APIRouter,
    health: Callable[[], ServerHealth],
    reads: PipelineReads,
    redaction: Redaction,
    caller_of: Any,
) -> None:
    @router.get("/status", response_model=StatusReport, responses=refusals(401, 422, 429, 503))
    async def read_status(
        query: Annotated[PipelineListQuery, Query()], caller: Identity = caller_of
    ) -> Response:
        """Return the server's health, and a page of the pipelines that the caller may see."""
        page = await pipeline_page(reads, caller.grant, redaction, query)
        return json_response(health().wire() | page)


def _add_metrics(router: APIRouter, metrics: StatusMetrics) -> None:
    @router.get("/metrics", response_class=PlainTextResponse, responses=refusals(429))
    async def read_metrics() -> Response:
        """Return the metrics in Prometheus' text format."""
        return await metrics_page(metrics)


def _add_publishing(router: APIRouter, publisher: EventPublisher, caller_of: Any) -> None:
    @router.post(
        "/v1/events",
        openapi_extra=body(Submission),
        responses=refusals(401, 403, 409, 413, 422, 429, 503),
    )
    async def publish_events(request: Request, caller: Identity = caller_of) -> PublishAck:
        """Publish a batch of events; acknowledged events are committed."""
        try:
            body = await request.body()
        except ClientDisconnect:
            raise RagliveError("The body ended early.", code=ErrorCode.INVALID_REQUEST) from None
        return await publisher.publish(caller, body)


class StatusReport(PipelineList, ServerHealth):
    """The answer of `/status`."""
