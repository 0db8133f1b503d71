"""`GET /health` and `GET /metrics` of a pipeline."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from raglive.pipeline.metrics import PipelineMetrics
from raglive.pipeline.service import PipelineService

__all__ = ["health_app"]


def health_app(service: PipelineService, metrics: PipelineMetrics) -> Starlette:
    """Return the application that says how the pipeline is."""

    async def health(_request: Request) -> JSONResponse:
        found = service.health()
        return JSONResponse(found, 503 if service.is_late else 200)

    async def count(_request: Request) -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/health", health), Route("/metrics", count)])
