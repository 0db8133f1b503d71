"""What every pipeline is made of, whatever it watches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from raglive.app.embedder import open_embedder
from raglive.app.installation import Installation
from raglive.app.serving import run_until, serve_http
from raglive.bus.postgres import PostgresBus
from raglive.embedding.budget import Budget, Price
from raglive.embedding.reuse import EmbedOnce, StoredVectors
from raglive.extraction.ocr import find_recognition
from raglive.extraction.pool import ExtractorPool
from raglive.ingest.attempt import Attempts
from raglive.ingest.lease_owner import own_name
from raglive.ingest.metrics import PipelineMetrics
from raglive.ingest.pausing import Gate
from raglive.ingest.service import PipelineService
from raglive.ingest.storing import Storing
from raglive.ingest.worker import Worker
from raglive.settings import Settings
from raglive.sources.source import Source
from raglive.store.accounting.saved_work import Kept
from raglive.store.index.documents import Documents
from raglive.store.index.search_indexes import SearchIndexes, keep_indexes, keeping_indexes
from raglive.store.registry.jobs import Jobs
from raglive.store.registry.pipelines import PipelineRecord

__all__ = ["Place", "health_app", "open_service", "price_of", "run_service"]

FILES_PER_READER = 4  # one is read, the others are embedded, stored, or next


@dataclass(frozen=True, slots=True)
class Place:
    """A pipeline's own names and port."""

    pipeline_id: str
    pipeline_type: str
    port: int


MakeSource = Callable[[PipelineRecord, Callable[[], None]], Source]


async def run_service(
    settings: Settings,
    service: PipelineService,
    place: Place,
    stop: Awaitable[None],
    *also: Awaitable[None],
    routes: Sequence[BaseRoute] = (),
) -> None:
    """Run until `stop` or, in single mode, until all is done; answer for its health meanwhile."""
    if settings.run_mode == "single":
        assert not also, "nothing else runs in single mode"
        await run_until(stop, service.run_once())
        return
    app = health_app(service, service.metrics)
    app.routes.extend(routes)
    serving = serve_http(app, settings.host, place.port, stop)
    await run_until(stop, service.run(), serving, *also)


@asynccontextmanager
async def open_service(
    installation: Installation, place: Place, make_source: MakeSource
) -> AsyncIterator[PipelineService]:
    """Put a pipeline together; it ends with everything that it holds."""
    settings = installation.settings
    async with AsyncExitStack() as stack:
        name = place.pipeline_type.replace("_", " ")
        database = await stack.enter_async_context(
            installation.database(name, max_size=settings.workers + 6)
        )
        bus = await stack.enter_async_context(PostgresBus(database.dsn, listens=database.listens))
        embedder, space = await stack.enter_async_context(open_embedder(settings, database))
        extractor = await stack.enter_async_context(_extractor(settings))
        record = await PipelineRecord.register(
            database,
            settings.pipeline_id or place.pipeline_id,
            settings.pipeline_type or place.pipeline_type,
        )
        metrics = PipelineMetrics()
        database.time_queries(metrics.queries.observe)
        owner = own_name()
        queued = asyncio.Event()
        jobs = Jobs(record, owner, settings.lease_seconds)
        kept = Kept(database, record.key, owner, space)
        budget = Budget(kept, price_of(settings))
        embedding = EmbedOnce(embedder, StoredVectors(Documents(database, space.key)), kept, budget)
        storing = await stack.enter_async_context(Storing(jobs, space))
        source = make_source(record, queued.set)
        attempts = Attempts(
            jobs,
            kept,
            extractor,
            embedding,
            storing,
            source.fetch,
            settings.max_attempts,
            metrics,
        )
        gate = Gate(record, embedder, space, budget, kept=kept, opened=queued)
        slots = FILES_PER_READER * settings.workers
        worker = Worker(
            record,
            jobs,
            attempts,
            gate,
            bus,
            slots=slots,
            stuck_seconds=settings.stuck_seconds,
            wake=queued,
        )
        indexes = SearchIndexes(database.dsn, config=settings.text_search_config)
        is_single = settings.run_mode == "single"
        if database.listens and not is_single:
            await stack.enter_async_context(keeping_indexes(indexes))
        interval = settings.check_interval
        yield PipelineService(
            record,
            source,
            worker,
            bus,
            metrics,
            owner=owner,
            check_interval_seconds=interval,
        )
        if database.listens and is_single:
            await keep_indexes(indexes)


def price_of(settings: Settings) -> Price:
    """Return what embedding costs, and the budget for it."""
    return Price(
        settings.embedding_price, settings.embedding_budget, settings.embedding_budget_period
    )


def _extractor(settings: Settings) -> ExtractorPool:
    languages = settings.ocr_languages
    return ExtractorPool(
        settings.workers,
        timeout_seconds=settings.extraction_timeout_seconds,
        memory_limit_bytes=settings.extraction_memory_bytes,
        max_file_bytes=settings.max_file_bytes,
        recognition=find_recognition(languages) if languages else None,
    )


def health_app(service: PipelineService, metrics: PipelineMetrics) -> Starlette:
    """Return the application that says how the pipeline is."""

    async def health(_request: Request) -> JSONResponse:
        found = service.health()
        return JSONResponse(found, 503 if service.is_late else 200)

    async def count(_request: Request) -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/health", health), Route("/metrics", count)])
