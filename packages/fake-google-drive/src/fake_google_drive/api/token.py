"""Google's authorization server: consent in a browser, and the token endpoint."""

from __future__ import annotations

from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response

from fake_google_drive.consent import ConsentRefused
from fake_google_drive.faults import Fault, FaultKind
from fake_google_drive.google import FakeGoogle
from fake_google_drive.oauth import OAuthError

__all__ = ["answer_consent", "answer_token"]


def answer_consent(google: FakeGoogle, request: Request) -> Response:
    """Send the browser back with a code, as if the user had consented; or with a no."""
    try:
        address = google.oauth.consents.ask(dict(request.query_params))
    except ConsentRefused as error:
        return Response(f"Error 400: {error}", 400, media_type="text/plain")
    return Response(status_code=302, headers={"Location": address})


async def answer_token(google: FakeGoogle, request: Request, fault: Fault | None) -> Response:
    """Give an access token, or say why not."""
    try:
        if fault is not None:
            _refuse(fault)
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        body = google.oauth.exchange(form, str(request.url.replace(query="")))
    except OAuthError as error:
        return _json(error.body(), error.status)
    return _json(body, 200)


def _refuse(fault: Fault) -> None:
    if fault.kind is FaultKind.INVALID_GRANT:
        raise OAuthError("invalid_grant", "Token has been expired or revoked.")
    if (error := fault.error()) is not None:
        raise OAuthError("internal_failure", error.message, error.status)


def _json(body: object, status: int) -> Response:
    return Response(
        orjson.dumps(body),
        status,
        {"Cache-Control": "no-cache, no-store"},
        media_type="application/json; charset=UTF-8",
    )
