"""A dashboard server on any database, and files in any state to show on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from httpx import ASGITransport, AsyncClient

from raglive.app.dashboard_server import dashboard_config
from raglive.app.embedder import search_config
from raglive.bus.postgres import PostgresBus
from raglive.dashboard.server import create_dashboard
from raglive.http_api.tokens import Tokens
from raglive.search.service import SearchService
from raglive.settings import read_settings
from raglive.store.index.documents import replace_document
from raglive.store.index.vector_space import VectorSpace, choose_vector_space
from raglive.store.pool import Database
from raglive.store.registry.files import FileChanges, ObservedFile, Registry
from raglive.store.registry.jobs import (
    CompletedEnding,
    Ending,
    FailedEnding,
    Job,
    Jobs,
    SkippedEnding,
)
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.permissions import Grant, Role
from raglive_contract.states import Stage
from raglive_contract.wire import WireFileError, WireFileResults, WireSkipReason
from tests.integration.store.files import chunks

__all__ = ["COMPLETED", "PUBLIC_STATUS_URL", "TOKENS", "Work", "bearer", "opened"]

TOKENS = Tokens("for-tests-only-" * 3)
PUBLIC_STATUS_URL = "https://rag.example"  # that only browsers can reach
NO_STATUS_SERVER = "http://127.0.0.1:9"


@asynccontextmanager
async def opened(
    database: Database,
    *,
    bus: PostgresBus | None = None,
    app_folder: Path = Path("/nonexistent"),
    client: str = "127.0.0.1",
    signed_in: bool = True,
    use_sign_in_secret: Callable[[str], bool] | None = None,
    **environment: str,
) -> AsyncIterator[AsyncClient]:
    """Open a client of a dashboard server, with an operator's token if `signed_in`."""
    addresses = {
        "RAGLIVE_STATUS_URL": PUBLIC_STATUS_URL,
        "RAGLIVE_STATUS_INTERNAL_URL": NO_STATUS_SERVER,
    }
    settings = read_settings(addresses | environment)
    async with PostgresBus(database.dsn) as own_bus:
        search = SearchService(database, search_config(settings))
        config = replace(dashboard_config(settings), use_sign_in_secret=use_sign_in_secret)
        app = create_dashboard(
            config,
            database,
            TOKENS,
            bus or own_bus,
            search,
            app_folder=app_folder,
        )
        transport = ASGITransport(app, client=(client, 50000))
        async with (
            app.router.lifespan_context(app),
            AsyncClient(
                transport=transport,
                base_url="http://127.0.0.1:3000",
                timeout=60,
                headers=bearer("*", role=Role.OPERATOR) if signed_in else None,
            ) as http,
        ):
            yield http


def bearer(*pipelines: str, role: Role = Role.VIEWER) -> dict[str, str]:
    """Return headers with a token for pipelines."""
    return {"Authorization": f"Bearer {TOKENS.issue(Grant(role, pipelines), 300, 'me')}"}


class Work:
    """Brings files of a pipeline into any state, as a worker does."""

    def __init__(self, pipeline: PipelineRecord) -> None:
        self.pipeline = pipeline
        self.jobs = Jobs(pipeline, "tests", 60)

    async def queue(self, *names: str, size: int | None = 10, folder: str = "") -> None:
        new = [
            ObservedFile(
                f"id:{folder}/{n}", f"{folder}/{n}", n, folder, None, "text/plain", size, {}
            )
            for n in names
        ]
        await Registry(self.pipeline).apply(FileChanges(new=new))

    async def start(self) -> Job:
        [job] = await self.jobs.claim(1)
        return job

    async def complete(self, *names: str) -> None:
        await choose_vector_space(self.pipeline.database, MODEL)
        await self.queue(*names)
        for _ in names:
            job = await self.start()
            async with self.jobs.ending(job, COMPLETED) as connection:
                await replace_document(connection, job.file_key, chunks(job.name, 1))

    async def fail(self, name: str, **error: Any) -> None:
        await self.queue(name)
        base = {"type": "E", "code": "extraction_error", "message": "No.", "retryable": False}
        await self.end(await self.start(), FailedEnding(cast("WireFileError", base | error), []))

    async def skip(self, name: str, code: str) -> None:
        await self.queue(name)
        reason = WireSkipReason(code=code, message="Nothing in it.")
        await self.end(await self.start(), SkippedEnding(reason, []))

    async def end(self, job: Job, ending: Ending) -> None:
        async with self.jobs.ending(job, ending):
            pass


MODEL = VectorSpace("builtin", "builtin", 256)
RESULTS = WireFileResults(
    chunks_created=1, embeddings_generated=1, processing_duration=0.5, content_length=20
)
COMPLETED = CompletedEnding(RESULTS, [{"stage": Stage.EXTRACTION, "duration": 0.1}])
