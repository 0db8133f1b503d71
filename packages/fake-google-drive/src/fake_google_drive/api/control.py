"""Steering the double over HTTP: `POST /__control` with `{"action": NAME, ...arguments}`."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from fake_google_drive.control import Control, ControlError

__all__ = ["answer_control"]

_LOCAL_HOSTS = {"127.0.0.1", "localhost"}


async def answer_control(control: Control, request: Request) -> Response:
    """Do what is asked for, unless a page in a browser could be asking."""
    if request.url.hostname not in _LOCAL_HOSTS:
        return _json({"error": "Ask by a local address."}, 403)
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        return _json({"error": "Send application/json."}, 415)
    try:
        asked = orjson.loads(await request.body())
        action = asked.pop("action")
    except (orjson.JSONDecodeError, AttributeError, TypeError, KeyError):
        return _json({"error": 'Send {"action": NAME, ...arguments}.'}, 400)
    try:
        return _json({"result": control.do(str(action), asked)}, 200)
    except ControlError as error:
        return _json({"error": str(error)}, 400)


def _json(body: Any, status: int) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
