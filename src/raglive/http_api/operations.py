"""The endpoints by which an operator acts on a pipeline; the same on both servers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from fastapi import APIRouter, Depends, Request

from raglive.contract.errors import ErrorCode, RagliveError
from raglive.contract.http import RetryAnswer, RetryRequest
from raglive.database.pool import Database
from raglive.database.retry import retry_files
from raglive.database.status import PipelineReads, no_such_pipeline
from raglive.http_api.openapi import refusals
from raglive.http_api.tokens import Identity

__all__ = ["Operator", "operations_router"]

log = structlog.get_logger()

Operator = Callable[[Request], Awaitable[Identity]]


def operations_router(reads: PipelineReads, database: Database, operator: Operator) -> APIRouter:
    """Return the endpoints, to be included under `/pipelines`; `operator` says who acts."""
    router = APIRouter(tags=["operations"])
    acting = Depends(operator)

    @router.post("/{pipeline_id}/retry", responses=refusals(401, 403, 404, 413, 429, 503))
    async def retry(
        pipeline_id: str, wanted: RetryRequest, caller: Identity = acting
    ) -> RetryAnswer:
        """Try failed files again: the named ones, those of one error code, or all."""
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
        f"The token may look at {pipeline_id}, but not act on it: that takes the role `operator`.",
        code=ErrorCode.FORBIDDEN,
    )
