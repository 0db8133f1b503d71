"""Pages of pipelines, each at most about 100 KB: the lists of both servers, and `/status`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, Field

from raglive.store.log.pipeline_status import PipelineReads
from raglive_contract.permissions import Grant
from raglive_contract.redaction import Redaction
from raglive_contract.wire import WirePipelineStatus

__all__ = ["PipelineListQuery", "pipeline_page"]

PAGE_BYTES = 96_000


class PipelineListQuery(BaseModel):
    """The size of a page of pipelines, and where it starts."""

    limit: Annotated[int, Field(ge=1, le=500)] = 100
    after: str = Field("", max_length=127, description="`next` of the previous page")


async def pipeline_page(
    reads: PipelineReads, grant: Grant, redaction: Redaction, query: PipelineListQuery
) -> dict[str, Any]:
    """Build `PipelineList`: statuses that a grant may view, by id, masked for a redacted grant.

    A page ends early when it has `PAGE_BYTES`.
    """
    keys = {name: key for name, key in (await reads.keys()).items() if grant.may_view(name)}
    rest = sorted(name for name in keys if name > query.after)
    asked = rest[: query.limit]
    statuses = await reads.statuses([keys[name] for name in asked])
    shown = [redaction.status(one) for one in statuses] if grant.redact else statuses
    fitting = _encode(shown)
    listed_all = len(fitting) == len(shown)  # of those asked for, less what is gone by now
    last = asked[-1:] if listed_all else [shown[len(fitting) - 1]["pipeline_id"]]
    return {
        "pipelines": fitting,
        "next": None if last == rest[-1:] else last[0],
        "total": len(keys),
    }


def _encode(statuses: Sequence[WirePipelineStatus]) -> list[orjson.Fragment]:
    """Encode as many statuses as fit on a page, at least one."""
    fitting: list[orjson.Fragment] = []
    left = PAGE_BYTES
    for status in statuses:
        encoded = orjson.dumps(status)
        left -= len(encoded)
        if fitting and left < 0:
            break
        fitting.append(orjson.Fragment(encoded))
    return fitting
