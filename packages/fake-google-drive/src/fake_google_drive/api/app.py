"""The HTTP application: Drive methods, authorization and control."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from fake_google_drive.api.calls import Call, read_fields, require_known
from fake_google_drive.api.connection import cut, hang
from fake_google_drive.api.methods import METHODS, DriveMethod
from fake_google_drive.api.pages import instead_of
from fake_google_drive.consent import ConsentRefused
from fake_google_drive.control import Control, ControlError
from fake_google_drive.errors import DriveError
from fake_google_drive.faults import Fault, FaultKind
from fake_google_drive.google import FakeGoogle
from fake_google_drive.google import Request as Record
from fake_google_drive.oauth import AccessGrant, OAuthError
from fake_google_drive.schema import PARAMETERS
from fake_google_drive.selection import select

__all__ = ["create_app"]

TIMEOUT_SECONDS = 3600.0
_LOCAL_HOSTS = {"127.0.0.1", "localhost"}
_NO_STORE = {"Cache-Control": "no-cache, no-store"}


def create_app(google: FakeGoogle) -> Starlette:
    """Return the application; serve it with `AbortableProtocol`, which some faults need."""
    routes = [Route(each.path, _endpoint(google, each), methods=[each.verb]) for each in METHODS]

    async def token(request: Request) -> Response:
        fault = google.faults.strike("token")
        return await _with_transfer_fault(fault, await _answer_token(google, request, fault))

    async def consent(request: Request) -> Response:
        return _answer_consent(google, request)

    control = Control(google)

    async def run_action(request: Request) -> Response:
        return await _answer_control(control, request)

    routes += [
        Route("/o/oauth2/v2/auth", consent, methods=["GET"]),
        Route("/token", token, methods=["POST"]),
        Route("/__control", run_action, methods=["POST"]),
    ]
    return Starlette(routes=routes)


def _endpoint(google: FakeGoogle, method: DriveMethod) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        name = method.name
        if name == "files.get" and request.query_params.get("alt") == "media":
            name = "files.getMedia"
        file_id = request.path_params.get("file_id") or request.query_params.get("id")
        user, fault = "", None
        try:
            grant = _grant(google, request)
            user = grant.user
            fault = google.faults.strike(name, user=user, file_id=file_id)
            google.quota.charge(user, name)
            response = instead_of(await _answer(google, method, request, grant, fault), fault)
        except DriveError as error:
            response = _refusal(error)
        google.requests.append(Record(name, user, file_id, response.status_code))
        return await _with_transfer_fault(fault, response)

    return answer


async def _answer(
    google: FakeGoogle,
    method: DriveMethod,
    request: Request,
    grant: AccessGrant,
    fault: Fault | None,
) -> Response:
    if fault is not None and (error := fault.error()) is not None:
        raise error
    parameters = dict(request.query_params)
    if method.name in PARAMETERS:
        require_known(method.name, parameters)
    fields = None
    if method.resource:
        fields = read_fields(parameters.get("fields"), method.resource, method.default)
    call = Call(google, grant, request, parameters, fields, fault)
    found = method.answer(call, await request.body()) if method.takes_body else method.answer(call)
    if inspect.isawaitable(found):
        found = await found
    return found if isinstance(found, Response) else _json(select(found, fields))


def _grant(google: FakeGoogle, request: Request) -> AccessGrant:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token if scheme.lower() == "bearer" else request.query_params.get("access_token", "")
    if not token:
        raise DriveError.login_required()
    grant = google.oauth.grant(token)
    if grant is None:
        raise DriveError.unauthenticated()
    if not grant.reads_metadata:
        raise DriveError.insufficient_scope()
    google.drive.my_drive(grant.user)
    return grant


def _refusal(error: DriveError) -> Response:
    headers = dict(error.headers)
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="https://accounts.google.com/"'
    return _json(error.body(), error.status, headers)


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        orjson.dumps(body), status, headers, media_type="application/json; charset=UTF-8"
    )


def _answer_consent(google: FakeGoogle, request: Request) -> Response:
    """Redirect the browser with a code, as if the user had consented, or with a refusal."""
    try:
        address = google.oauth.consents.ask(dict(request.query_params))
    except ConsentRefused as error:
        return Response(f"Error 400: {error}", 400, media_type="text/plain")
    return Response(status_code=302, headers={"Location": address})


async def _answer_token(google: FakeGoogle, request: Request, fault: Fault | None) -> Response:
    """Answer the token endpoint with an access token or an OAuth error."""
    try:
        if fault is not None:
            _refuse_token(fault)
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        body = google.oauth.exchange(form, str(request.url.replace(query="")))
    except OAuthError as error:
        return _json(error.body(), error.status, _NO_STORE)
    return _json(body, 200, _NO_STORE)


def _refuse_token(fault: Fault) -> None:
    if fault.kind is FaultKind.INVALID_GRANT:
        raise OAuthError("invalid_grant", "Token has been expired or revoked.")
    if (error := fault.error()) is not None:
        raise OAuthError("internal_failure", error.message, error.status)


async def _answer_control(control: Control, request: Request) -> Response:
    """Perform a control action; requests that a web page could send are refused."""
    if request.url.hostname not in _LOCAL_HOSTS:
        return _json({"error": "Use a loopback address."}, 403)
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


async def _with_transfer_fault(fault: Fault | None, response: Response) -> Response:
    if fault is not None and fault.kind in {FaultKind.TIMEOUT, FaultKind.CUT}:
        return _MissingResponse(fault)
    return response


class _MissingResponse(Response):
    """A missing answer: the connection is closed, at once or after the client gave up."""

    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self._fault = fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        if self._fault.kind is FaultKind.TIMEOUT:
            await hang(receive, self._fault.seconds or TIMEOUT_SECONDS)
        await cut(scope, receive)
