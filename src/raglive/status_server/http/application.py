"""The ASGI application: HTTP endpoints, Socket.IO, and the middleware around both."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import socketio
from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from raglive import __version__
from raglive.http_api.allowed_hosts import AllowedHosts
from raglive.http_api.middleware import AddressLimit, BodyLimit, RequestLog
from raglive.http_api.openapi import describe, refusals
from raglive.http_api.responses import install_error_handlers
from raglive.status_server.admission import Admission
from raglive.status_server.config import StatusServerConfig
from raglive.status_server.metrics import StatusMetrics
from raglive.status_server.transport.payload_filter import PayloadFilter
from raglive.status_server.transport.socketio_server import SocketServer
from raglive_contract.events import Submission

__all__ = ["MAX_BODY_BYTES", "http_application", "with_middleware"]

MAX_BODY_BYTES = 16 * 2**20

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def http_application(
    routers: dict[str, list[APIRouter]], admission: Admission, lifespan: Lifespan
) -> FastAPI:
    """Make the FastAPI application from its routers, by path prefix."""
    app = FastAPI(
        title="raglive status server",
        version=__version__,
        lifespan=lifespan,
        openapi_url="/openapi.json",
        responses=refusals(421),
    )
    describe(app, Submission)
    install_error_handlers(app, admission.record_refusal)
    for prefix, grouped in routers.items():
        for router in grouped:
            app.include_router(router, prefix=prefix)
    return app


def with_middleware(
    app: FastAPI,
    config: StatusServerConfig,
    sockets: SocketServer,
    admission: Admission,
    metrics: StatusMetrics,
) -> ASGIApp:
    """Put Socket.IO next to the HTTP application, and the limits and the log around both.

    From the outside in: request log, allowed hosts, admission of Engine.IO requests; then either
    Socket.IO, or the limits of addresses and bodies and the endpoints.
    """
    http = AddressLimit(BodyLimit(app, MAX_BODY_BYTES), admission.count_http_request)
    both = socketio.ASGIApp(sockets, other_asgi_app=http, socketio_path=config.socket_path)
    filtered = PayloadFilter(
        both,
        config.socket_path,
        admit=admission.admit,
        close_session=sockets.close_session,
    )
    return RequestLog(AllowedHosts(filtered, config.host, config.allowed_hosts), metrics)
