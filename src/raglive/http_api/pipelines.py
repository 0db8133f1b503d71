"""The endpoints for pipelines, their files and their events; the same on both servers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, NamedTuple

import structlog
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from raglive.http_api.openapi import refusals
from raglive.http_api.pipeline_pages import PipelineListQuery, pipeline_page
from raglive.http_api.responses import json_response
from raglive.http_api.tokens import Identity
from raglive.store.log.event_log import Head
from raglive.store.log.pipeline_status import PipelineReads, no_such_pipeline
from raglive.store.pool import Database
from raglive.store.registry.file_listing import FileListing, SortBy
from raglive.store.registry.retry import retry_files
from raglive_contract.cursor import CURSOR_PATTERN, NOW, CursorExpired, parse_cursor, resume
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.http import (
    ChunkPage,
    EventPage,
    FailureGroups,
    FileDetail,
    FilePage,
    PipelineList,
    RetryAnswer,
    RetryRequest,
)
from raglive_contract.permissions import Grant
from raglive_contract.redaction import Redaction
from raglive_contract.snapshot import PipelineStatus
from raglive_contract.states import FileState, FinerStanding
from raglive_contract.summary import Throughput

__all__ = ["Operator", "Viewer", "operations_router", "pipelines_router"]

Viewer = Callable[[Request], Awaitable[Grant]]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,126}", re.ASCII)
_STORABLE = r"^[^\x00]*$"

PageSize = Annotated[int, Field(ge=1, le=500)]
CursorText = Annotated[  # a URL holds 64 KiB in total
    str, Field(max_length=30_000, json_schema_extra={"pattern": CURSOR_PATTERN})
]


class FileQuery(BaseModel):
    """Filter and order of a file listing."""

    state: list[FileState | FinerStanding] = Field(
        [], description="may be repeated; all but deleted by default"
    )
    q: str = Field("", max_length=200, pattern=_STORABLE, description="part of the path")
    sort: SortBy = "updated"
    limit: PageSize = 50
    after: str | None = Field(None, max_length=8192, description="`next` of the previous page")


class ChunkQuery(BaseModel):
    """The file whose chunks are listed, and where the page starts."""

    file_id: str = Field(max_length=512, pattern=_STORABLE)
    limit: PageSize = 20
    after: int | None = Field(None, ge=0, lt=2**31, description="`next` of the previous page")


class EventQuery(BaseModel):
    """Filter of an event listing, and the cursors that limit it."""

    limit: PageSize = 100
    before: CursorText | None = Field(None, description="`next` of the previous page")
    after: CursorText | None = None
    type: list[
        Literal[
            "pipeline:online",
            "pipeline:offline",
            "file:processing",
            "file:completed",
            "file:failed",
            "file:skipped",
            "file:deleted",
            "status:update",
        ]
    ] = Field([], description="may be repeated")
    file_id: str | None = Field(None, max_length=512, pattern=_STORABLE)


class ViewedPipeline(NamedTuple):
    """A pipeline that the caller may view; `mask` is set for a redacted caller."""

    head: Head
    mask: Redaction | None

    def unredacted_head(self, what: str) -> Head:
        """Return the head for reading `what`; raise `forbidden` for a redacted caller."""
        if self.mask is not None:
            raise RagliveError(
                f"The token is redacted: it shows the states of files, but not {what}.",
                code=ErrorCode.FORBIDDEN,
            )
        return self.head


def pipelines_router(
    reads: PipelineReads, listing: FileListing, viewer: Viewer, redaction: Redaction
) -> APIRouter:
    """Create the router to include under `/pipelines`; `viewer` authorizes each request."""
    router = APIRouter(tags=["pipelines"], responses=refusals(401, 429, 503))
    viewing = Depends(viewer)

    async def visible(pipeline_id: str, grant: Grant = viewing) -> ViewedPipeline:
        if _ID.fullmatch(pipeline_id) is None or not grant.may_view(pipeline_id):
            raise no_such_pipeline()
        return ViewedPipeline(await reads.head(pipeline_id), redaction if grant.redact else None)

    @router.get("", response_model=PipelineList)
    async def pipelines(
        query: Annotated[PipelineListQuery, Query()], grant: Grant = viewing
    ) -> Response:
        """List the pipelines that the caller may see, page by page."""
        return json_response(await pipeline_page(reads, grant, redaction, query))

    _add_status_routes(router, reads, Depends(visible))
    _add_file_routes(router, listing, Depends(visible))
    return router


def _add_status_routes(router: APIRouter, reads: PipelineReads, visible: Any) -> None:
    @router.get("/{pipeline_id}", response_model=PipelineStatus, responses=refusals(404))
    async def pipeline(seen: ViewedPipeline = visible) -> Response:
        """Show a pipeline's status."""
        status = await reads.snapshot(seen.head.pipeline_key)
        return json_response(seen.mask.status(status) if seen.mask else status)

    @router.get(
        "/{pipeline_id}/events",
        response_model=EventPage,
        responses=refusals(403, 404, 410),
    )
    async def events(
        query: Annotated[EventQuery, Query()], seen: ViewedPipeline = visible
    ) -> Response:
        """List durable events, newest first, between two cursors."""
        head = seen.head if query.file_id is None else seen.unredacted_head("one file's events")
        found = await reads.event_page(
            head,
            before=_before(head, query.before),
            after=_after(head, query.after),
            limit=query.limit + 1,
            types=query.type,
            file_id=query.file_id,
        )
        shown = [logged.event for logged in found[: query.limit]]
        if seen.mask:
            shown = [seen.mask.event(event) for event in shown]
        return json_response(
            {
                "events": shown,
                "next": shown[-1]["cursor"] if len(found) > len(shown) else None,
                "cursor": str(head.position),
                "digest": head.digest.hex(),
            }
        )

    @router.get("/{pipeline_id}/failures", response_model=FailureGroups, responses=refusals(404))
    async def failures(seen: ViewedPipeline = visible) -> Response:
        """Show why files are not searchable, and what to do about it."""
        groups = await reads.failures(seen.head)
        if seen.mask:
            groups = [seen.mask.failure(group) for group in groups]
        return json_response({"groups": groups})

    @router.get("/{pipeline_id}/throughput", response_model=Throughput, responses=refusals(404))
    async def throughput(seen: ViewedPipeline = visible) -> Response:
        """Show the files finished in each minute of the last half hour, and an estimate."""
        return json_response(await reads.throughput(seen.head))


def _add_file_routes(router: APIRouter, listing: FileListing, visible: Any) -> None:
    @router.get("/{pipeline_id}/files", response_model=FilePage, responses=refusals(403, 404))
    async def files(
        query: Annotated[FileQuery, Query()], seen: ViewedPipeline = visible
    ) -> Response:
        """List files, page by page."""
        uses_names = query.q or query.sort == "name"
        head = seen.unredacted_head("their names") if uses_names else seen.head
        page = await listing.page(
            head,
            states=query.state,
            containing=query.q,
            sort=query.sort,
            limit=query.limit,
            after=query.after,
        )
        rows = page.files
        if seen.mask:
            rows = [seen.mask.row(row, head.pipeline_id) for row in rows]
        return json_response({"files": rows, "next": page.next, "total": page.total})

    @router.get(
        "/{pipeline_id}/files/{file_id:path}",
        response_model=FileDetail,
        responses=refusals(403, 404),
    )
    async def file(file_id: str, seen: ViewedPipeline = visible) -> Response:
        """Show a file with its attempts and its first chunks."""
        head = seen.unredacted_head("their content")
        if "\0" in file_id:
            raise RagliveError("The pipeline has no such file.", code=ErrorCode.NOT_FOUND)
        return json_response(await listing.detail(head, file_id))

    @router.get("/{pipeline_id}/chunks", response_model=ChunkPage, responses=refusals(403, 404))
    async def chunks(
        query: Annotated[ChunkQuery, Query()], seen: ViewedPipeline = visible
    ) -> Response:
        """List a file's chunks in the order of its text, page by page."""
        head = seen.unredacted_head("their content")
        page = await listing.chunks(head, query.file_id, limit=query.limit, after=query.after)
        return json_response(page)


def _after(head: Head, cursor: str | None) -> int:
    """Return the lower bound of the seqs, exclusive; raises `cursor_expired`."""
    return 0 if cursor is None else _seq(head, cursor)


def _before(head: Head, cursor: str | None) -> int:
    """Return the upper bound of the seqs, exclusive; `now` is after the last event."""
    return head.seq + 1 if cursor in {None, NOW} else _seq(head, str(cursor))


def _seq(head: Head, cursor: str) -> int:
    outcome = resume(parse_cursor(cursor), head.range, [head.epoch])
    if isinstance(outcome, CursorExpired):
        raise outcome.error()
    return outcome.seq


log = structlog.get_logger()

Operator = Callable[[Request], Awaitable[Identity]]


def operations_router(reads: PipelineReads, database: Database, operator: Operator) -> APIRouter:
    """Create the router to include under `/pipelines`; `operator` authorizes each request."""
    router = APIRouter(tags=["operations"])
    acting = Depends(operator)

    @router.post("/{pipeline_id}/retry", responses=refusals(401, 403, 404, 409, 413, 429, 503))
    async def retry(
        pipeline_id: str, wanted: RetryRequest, caller: Identity = acting
    ) -> RetryAnswer:
        """Retry failed files: by id, by error code, or all."""
        _require_rights(caller, pipeline_id)
        head = await reads.head(pipeline_id)
        requeued = await retry_files(
            database,
            head.pipeline_key,
            file_ids=wanted.file_ids,
            code=wanted.code,
            asked_by=caller.subject,
        )
        log.info("files_retried", pipeline=pipeline_id, files=requeued, subject=caller.subject)
        return RetryAnswer(requeued=requeued)

    return router


def _require_rights(caller: Identity, pipeline_id: str) -> None:
    if caller.grant.may_operate(pipeline_id):
        return
    if not caller.grant.may_view(pipeline_id):
        raise no_such_pipeline()
    raise RagliveError(
        f"The token may view {pipeline_id} but not operate it: that needs the role `operator`.",
        code=ErrorCode.FORBIDDEN,
    )
