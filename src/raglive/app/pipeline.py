"""Composes a pipeline process from a source: embedder, extractor, worker, heartbeat and health."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from logging import INFO, WARNING
from urllib.parse import urlsplit

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from raglive.app.bus import open_bus
from raglive.app.embedder import budget_config, open_embedder
from raglive.app.installation import Installation, retention_of
from raglive.app.serving import run_until, serve_http
from raglive.embedding.budget import Budget
from raglive.embedding.cached_embedder import CachedEmbedder, VectorLookup
from raglive.extraction.ocr import find_recognition
from raglive.extraction.pool import ExtractorPool
from raglive.http_api.allowed_hosts import AllowedHosts
from raglive.http_api.metrics import metrics_page
from raglive.http_api.probes import probe_routes
from raglive.http_api.responses import install_error_handlers
from raglive.ingest.attempt import AttemptRunner
from raglive.ingest.group_commit import GroupCommit
from raglive.ingest.lease_owner import current_owner
from raglive.ingest.metrics import PipelineMetrics
from raglive.ingest.pause_monitor import PauseMonitor
from raglive.ingest.pipeline_service import PipelineService
from raglive.ingest.worker import Worker
from raglive.settings import Settings
from raglive.sources.source import Source
from raglive.store.accounting.spending import Spending
from raglive.store.index.drafts import Drafts
from raglive.store.index.search_indexes import (
    SearchIndexes,
    maintain_indexes,
    maintain_indexes_regularly,
)
from raglive.store.index.vector_cache import VectorCache
from raglive.store.registry.jobs import Jobs
from raglive.store.registry.pipelines import PipelineRecord
from raglive.store.retention import delete_expired, delete_expired_regularly

__all__ = ["PipelineDefaults", "health_app", "open_service", "run_service"]

log = structlog.get_logger()

HEALTH_CONNECTIONS = 100
ATTEMPTS_PER_EXTRACTOR = 4  # while one file is extracted, others are embedded and stored


@dataclass(frozen=True, slots=True)
class PipelineDefaults:
    """Id, type and port of a pipeline. The settings may name another id and type."""

    pipeline_id: str
    pipeline_type: str
    port: int


MakeSource = Callable[[PipelineRecord, Callable[[], None]], Source]
"""Creates a source from the pipeline's record and a callback for files that it queues."""


async def run_service(
    settings: Settings,
    service: PipelineService,
    port: int,
    stop: Awaitable[None],
    *also: Awaitable[None],
    routes: Sequence[BaseRoute] = (),
) -> None:
    """Run a pipeline and serve its health until `stop`; in single mode, until no file is due."""
    if settings.run_mode == "single":
        assert not also, "nothing else runs in single mode"
        await run_until(stop, service.run_once())
        return
    app = health_app(service, service.metrics, settings.host, _allowed_hosts(settings))
    app.routes.extend(routes)
    serving = serve_http(app, settings.host, port, stop, max_connections=HEALTH_CONNECTIONS)
    await run_until(stop, service.run(), serving, *also)


@asynccontextmanager
async def open_service(
    installation: Installation, defaults: PipelineDefaults, make_source: MakeSource
) -> AsyncIterator[PipelineService]:
    """Compose a pipeline; everything that it opens is closed at the end of the block.

    In single mode, the end of the block maintains the database, and raises `deletions_held` or
    `files_failed` if a run that was completed left that to an operator.
    """
    settings = installation.settings
    async with AsyncExitStack() as stack:
        name = defaults.pipeline_type.replace("_", " ")
        database = await stack.enter_async_context(
            installation.database(name, max_size=settings.workers + 6)
        )
        bus = await stack.enter_async_context(open_bus(settings, database))
        embedder, space = await stack.enter_async_context(open_embedder(settings, database))
        extractor = await stack.enter_async_context(_extractor(settings))
        sandbox = extractor.sandbox()
        log.log(WARNING if sandbox["missing"] else INFO, "extraction_sandbox", **sandbox)
        record = await PipelineRecord.register(
            database,
            settings.pipeline_id or defaults.pipeline_id,
            settings.pipeline_type or defaults.pipeline_type,
        )
        metrics = PipelineMetrics()
        metrics.observe_database(database)
        embedder.observe_requests(metrics.requested)
        owner = current_owner()
        queued = asyncio.Event()
        source = make_source(record, queued.set)
        jobs = Jobs(record, owner, settings.lease_seconds)
        spending = Spending(database, record.key)
        cache = VectorCache(database, space)
        budget = Budget(spending, budget_config(settings))
        attempts = AttemptRunner(
            jobs,
            Drafts(database, owner),
            extractor,
            CachedEmbedder(embedder, VectorLookup(cache), cache, spending, budget),
            await stack.enter_async_context(GroupCommit(jobs, space)),
            source.fetch,
            settings.max_attempts,
            metrics,
        )
        worker = Worker(
            record,
            jobs,
            attempts,
            PauseMonitor(record, embedder, space, budget, changed=queued),
            bus,
            slots=ATTEMPTS_PER_EXTRACTOR * settings.workers,
            stuck_seconds=settings.stuck_seconds,
            wake=queued,
        )
        indexes = SearchIndexes(database.dsn, config=settings.text_search_config)
        is_single = settings.run_mode == "single"
        retention = retention_of(settings)
        if not is_single:
            expiring = delete_expired_regularly(database, retention)
            await stack.enter_async_context(_running(expiring, "retention"))
        if database.listens and not is_single:
            maintaining = maintain_indexes_regularly(indexes)
            await stack.enter_async_context(_running(maintaining, "index-maintenance"))
        service = PipelineService(
            record,
            source,
            worker,
            bus,
            metrics,
            owner=owner,
            check_interval_seconds=settings.check_interval,
            extraction_sandbox=sandbox,
        )
        yield service
        if is_single:
            await delete_expired(database, retention)
        if database.listens and is_single:
            await maintain_indexes(indexes)
        await service.require_complete()


@asynccontextmanager
async def _running(work: Coroutine[None, None, None], name: str) -> AsyncIterator[None]:
    """Run a task until the block ends; it is then cancelled."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _extractor(settings: Settings) -> ExtractorPool:
    languages = settings.ocr_languages
    return ExtractorPool(
        settings.workers,
        timeout_seconds=settings.extraction_timeout_seconds,
        memory_limit_bytes=settings.extraction_memory_bytes,
        max_file_bytes=settings.max_file_bytes,
        recognition=find_recognition(languages) if languages else None,
    )


def _allowed_hosts(settings: Settings) -> tuple[str, ...]:
    """Return the allowed names, and the one by which Google sends push messages."""
    push_host = urlsplit(settings.google_push_url or "").hostname
    return (*settings.allowed_hosts, push_host) if push_host else settings.allowed_hosts


def health_app(
    service: PipelineService,
    metrics: PipelineMetrics,
    bound_host: str,
    allowed_hosts: Iterable[str] = (),
) -> Starlette:
    """Return the application for the health, probes and metrics of a pipeline process."""

    async def health(_request: Request) -> JSONResponse:
        body, works = await service.health.report()
        return JSONResponse(body, 200 if works else 503)

    async def unready() -> str | None:
        _, works = await service.health.report()
        return None if works else "the database does not answer, or heartbeats are late"

    async def count(_request: Request) -> Response:
        return await metrics_page(metrics)

    app = Starlette(
        routes=[Route("/health", health), *probe_routes(unready), Route("/metrics", count)],
        middleware=[Middleware(AllowedHosts, bound_host=bound_host, allowed=allowed_hosts)],
    )
    install_error_handlers(app)
    return app
