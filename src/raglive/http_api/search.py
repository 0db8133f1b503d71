"""The search endpoint; the same on both servers."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from raglive.http_api.metrics import Metrics
from raglive.http_api.openapi import refusals
from raglive.http_api.pipelines import Viewer
from raglive.http_api.responses import json_response
from raglive.search.service import MAX_QUESTION_CHARS, SearchMode, SearchRequest, SearchService
from raglive.store.index.search import Hit, SearchFilter
from raglive.store.log.pipeline_status import no_such_pipeline
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.http import SearchAnswer
from raglive_contract.model import Timestamp, rfc3339
from raglive_contract.permissions import Grant

__all__ = ["hit_on_wire", "search_router"]

_STORABLE = r"^[^\x00]*$"
TypeName = Annotated[
    str, Field(min_length=1, max_length=127, pattern=r"^\.?[\w.+*-]+(/[\w.+*-]+)?$")
]


class SearchQuery(BaseModel):
    """The query parameters of a search."""

    q: str = Field(
        min_length=1,
        max_length=MAX_QUESTION_CHARS,
        pattern=_STORABLE,
        description="the question, in natural language",
    )
    mode: SearchMode = Field(
        SearchMode.HYBRID, description="by meaning (`vector`), by words (`text`), or by both"
    )
    pipeline_id: list[Annotated[str, Field(max_length=127)]] = Field(
        [], max_length=100, description="may be repeated"
    )
    type: list[TypeName] = Field(
        [], max_length=100, description="MIME type, `text/*`, or extension; may be repeated"
    )
    since: Timestamp | None = Field(None, description="only files indexed at or after this time")
    until: Timestamp | None = Field(None, description="only files indexed before this time")
    limit: int = Field(10, ge=1, le=100)


def search_router(search: SearchService, viewer: Viewer, metrics: Metrics) -> APIRouter:
    """Create the router with `/search`; `viewer` authorizes each request."""
    router = APIRouter(tags=["search"])
    viewing = Depends(viewer)

    @router.get(
        "/search",
        response_model=SearchAnswer,
        responses=refusals(401, 403, 404, 409, 429, 502, 503),
    )
    async def find(query: Annotated[SearchQuery, Query()], grant: Grant = viewing) -> Response:
        """Find the passages that answer a question best, in the pipelines the caller may see."""
        if grant.redact:
            raise RagliveError(
                "The token is redacted: it shows the states of files, but not their content.",
                code=ErrorCode.FORBIDDEN,
            )
        visible = await _visible(search, grant, query.pipeline_id)
        question = SearchRequest(
            query.q,
            query.mode,
            visible,
            SearchFilter(types=query.type, since=query.since, until=query.until),
            query.limit,
        )
        with metrics.searching(query.mode):
            hits = await search.search(question)
        return json_response({"mode": query.mode, "hits": [hit_on_wire(hit) for hit in hits]})

    return router


async def _visible(search: SearchService, grant: Grant, wanted: list[str]) -> frozenset[str]:
    known = await search.pipeline_ids()
    visible = frozenset(name for name in known if grant.may_view(name))
    if not visible.issuperset(wanted):
        raise no_such_pipeline()
    return frozenset(wanted) or visible


def hit_on_wire(hit: Hit) -> dict[str, Any]:
    """Build `SearchHit`."""
    return {
        "score": round(hit.score, 4),
        "similarity": None if hit.similarity is None else round(hit.similarity, 4),
        "matched": list(hit.matched),
        "content": hit.content,
        "snippet": hit.snippet,
        "marks": [{"start": start, "end": end} for start, end in hit.marks],
        "file": {
            "id": hit.file_id,
            "name": hit.name,
            "folder": hit.folder,
            "url": hit.url,
            "mime_type": hit.mime_type,
            "pipeline_id": hit.pipeline_id,
            "indexed_at": rfc3339(hit.indexed_at),
        },
        "chunk_index": hit.chunk_index,
        "page": hit.page,
    }
