"""The endpoints that show pipelines, their files and their events; the same on both servers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from raglive.contract.cursor import parse_cursor
from raglive.contract.errors import ErrorCode, RagliveError
from raglive.contract.http import (
    EventPage,
    FailureGroups,
    FileDetail,
    FilePage,
    PipelineList,
    Throughput,
)
from raglive.contract.permissions import Grant
from raglive.contract.snapshot import PipelineStatus
from raglive.contract.states import FileState
from raglive.database.event_log import Head
from raglive.database.file_listing import FileListing, SortBy
from raglive.database.status import PipelineReads, no_such_pipeline
from raglive.http_api.responses import json_response

__all__ = ["Viewer", "pipelines_router"]

Viewer = Callable[[Request], Awaitable[Grant]]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,126}", re.ASCII)
_STORABLE = r"^[^\x00]*$"

PageSize = Annotated[int, Field(ge=1, le=500)]
CursorText = Annotated[str, Field(max_length=65536)]


class FileQuery(BaseModel):
    """Which files, in which order."""

    state: list[FileState] = Field([], description="may be repeated; all but deleted by default")
    q: str = Field("", max_length=200, pattern=_STORABLE, description="part of folder or name")
    sort: SortBy = "updated"
    limit: PageSize = 50
    after: str | None = Field(None, max_length=8192, description="`next` of the page before")


class EventQuery(BaseModel):
    """Which events, between which cursors."""

    limit: PageSize = 100
    before: CursorText | None = Field(None, description="`next` of the page before")
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


def pipelines_router(reads: PipelineReads, listing: FileListing, viewer: Viewer) -> APIRouter:
    """Return the endpoints, to be included under `/pipelines`; `viewer` says who may see what."""
    router = APIRouter(tags=["pipelines"])
    viewing = Depends(viewer)

    async def visible(pipeline_id: str, grant: Grant = viewing) -> Head:
        if _ID.fullmatch(pipeline_id) is None or not grant.may_view(pipeline_id):
            raise no_such_pipeline()
        return await reads.head(pipeline_id)

    @router.get("", response_model=PipelineList)
    async def pipelines(grant: Grant = viewing) -> Response:
        """List the pipelines that the caller may see."""
        board = await reads.board()
        shown = [one.snapshot for one in board if grant.may_view(one.head.pipeline_id)]
        return json_response({"pipelines": shown})

    _add_status_routes(router, reads, Depends(visible))
    _add_file_routes(router, listing, Depends(visible))
    return router


def _add_status_routes(router: APIRouter, reads: PipelineReads, visible: Any) -> None:
    @router.get("/{pipeline_id}", response_model=PipelineStatus)
    async def pipeline(head: Head = visible) -> Response:
        """Show a pipeline's status."""
        return json_response(await reads.snapshot(head.pipeline_key))

    @router.get("/{pipeline_id}/events", response_model=EventPage)
    async def events(query: Annotated[EventQuery, Query()], head: Head = visible) -> Response:
        """List durable events, newest first, between two cursors."""
        found = await reads.event_page(
            head,
            before=_seq(head, query.before, head.seq + 1),
            after=_seq(head, query.after, 0),
            limit=query.limit + 1,
            types=query.type,
            file_id=query.file_id,
        )
        shown = [logged.event for logged in found[: query.limit]]
        return json_response(
            {
                "events": shown,
                "next": shown[-1]["cursor"] if len(found) > len(shown) else None,
                "cursor": str(head.position),
                "digest": head.digest.hex(),
            }
        )

    @router.get("/{pipeline_id}/failures", response_model=FailureGroups)
    async def failures(head: Head = visible) -> Response:
        """Show why files are not searchable, and what to do about it."""
        return json_response({"groups": await reads.failures(head)})

    @router.get("/{pipeline_id}/throughput", response_model=Throughput)
    async def throughput(head: Head = visible) -> Response:
        """Show what was finished in each minute of the last half hour."""
        return json_response(await reads.throughput(head))


def _add_file_routes(router: APIRouter, listing: FileListing, visible: Any) -> None:
    @router.get("/{pipeline_id}/files", response_model=FilePage)
    async def files(query: Annotated[FileQuery, Query()], head: Head = visible) -> Response:
        """List files, page by page."""
        page = await listing.page(
            head,
            states=query.state,
            containing=query.q,
            sort=query.sort,
            limit=query.limit,
            after=query.after,
        )
        return json_response({"files": page.files, "next": page.next, "total": page.total})

    @router.get("/{pipeline_id}/files/{file_id:path}", response_model=FileDetail)
    async def file(file_id: str, head: Head = visible) -> Response:
        """Show a file with its attempts and the beginning of its text."""
        if "\0" in file_id:
            raise RagliveError("The pipeline has no such file.", code=ErrorCode.NOT_FOUND)
        return json_response(await listing.detail(head, file_id))


def _seq(head: Head, cursor: str | None, otherwise: int) -> int:
    positions = {} if cursor is None else parse_cursor(cursor).positions
    if not positions:  # also `-1` and `now`
        return otherwise
    position = positions.get(head.epoch)
    if position is None:
        raise RagliveError(
            "The cursor is not of this pipeline's log, which may have begun anew. "
            "Start without a cursor.",
            code=ErrorCode.CURSOR_EXPIRED,
        )
    return position.seq
