"""Answers that are in their wire form already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi.responses import Response

__all__ = ["json_response"]


def json_response(
    body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return JSON that is not to be stored unless `headers` say otherwise."""
    sent = {"Cache-Control": "no-store", **(headers or {})}
    return Response(orjson.dumps(body), status, sent, "application/json")
