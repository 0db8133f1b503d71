"""`GET /health` of a pipeline."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from raglive.pipeline.service import PipelineService

__all__ = ["health_app"]


def health_app(service: PipelineService) -> Starlette:
    """Return the application that says how the pipeline is."""

    async def health(_request: Request) -> JSONResponse:
        found = service.health()
        return JSONResponse(found, 200 if found["status"] == "healthy" else 503)

    return Starlette(routes=[Route("/health", health)])
