"""The Drive v3 interface over HTTP."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from fake_google_drive.api import changes, drives, files
from fake_google_drive.api.calls import Call, read_fields, require_known
from fake_google_drive.api.connection import cut, hang
from fake_google_drive.api.control import answer_control
from fake_google_drive.api.token import answer_consent, answer_token
from fake_google_drive.control import Control
from fake_google_drive.errors import DriveError
from fake_google_drive.faults import Fault, FaultKind
from fake_google_drive.google import FakeGoogle
from fake_google_drive.google import Request as Record
from fake_google_drive.oauth import Grant
from fake_google_drive.resources import DEFAULT_FILE
from fake_google_drive.schema import PARAMETERS
from fake_google_drive.selection import Selection, select

__all__ = ["create_app"]

TIMEOUT_SECONDS = 3600.0
_LIST_DEFAULT: Selection = {
    "kind": None, "incompleteSearch": None, "nextPageToken": None, "files": DEFAULT_FILE,
}  # fmt: skip
_CHANGES_DEFAULT: Selection = {
    "kind": None,
    "nextPageToken": None,
    "newStartPageToken": None,
    "changes": {
        **dict.fromkeys(("kind", "type", "changeType", "time", "removed", "fileId", "driveId")),
        "drive": dict.fromkeys(("kind", "id", "name")),
        "file": DEFAULT_FILE,
    },
}


class _Method(NamedTuple):
    verb: str
    path: str
    name: str
    answer: Callable[..., Any]
    resource: str = ""
    default: Selection | None = None
    takes_body: bool = False


_METHODS = [
    _Method("GET", "/drive/v3/about", "about.get", drives.get_about, "About"),
    _Method("GET", "/drive/v3/drives", "drives.list", drives.list_drives, "DriveList"),
    _Method("GET", "/drive/v3/drives/{drive_id}", "drives.get", drives.get_drive, "Drive"),
    _Method(
        "GET", "/drive/v3/changes/startPageToken", "changes.getStartPageToken",
        changes.get_start_page_token, "StartPageToken",
    ),
    _Method(
        "GET", "/drive/v3/changes", "changes.list",
        changes.list_changes, "ChangeList", _CHANGES_DEFAULT,
    ),
    _Method(
        "POST", "/drive/v3/changes/watch", "changes.watch",
        changes.watch_changes, "Channel", takes_body=True,
    ),
    _Method(
        "POST", "/drive/v3/channels/stop", "channels.stop", changes.stop_channel, takes_body=True
    ),
    _Method(
        "GET", "/drive/v3/files", "files.list", files.list_files, "FileList", _LIST_DEFAULT
    ),
    _Method(
        "GET", "/drive/v3/files/{file_id}", "files.get", files.get_file, "File", DEFAULT_FILE
    ),
    _Method(
        "GET", "/download/drive/v3/files/{file_id}", "files.get",
        files.get_file, "File", DEFAULT_FILE,
    ),
    _Method("GET", "/drive/v3/files/{file_id}/export", "files.export", files.export_file),
    _Method(
        "POST", "/drive/v3/files/{file_id}/download", "files.download",
        files.download_file, "Operation",
    ),
    _Method(
        "GET", "/drive/v3/operations/{name}", "operations.get", files.get_operation, "Operation"
    ),
    _Method("GET", "/feeds/download/Export", "files.exportLink", files.export_by_link),
    _Method(
        "GET", "/download/operations/{name}", "files.downloadOperation", files.get_operation_media
    ),
]  # fmt: skip


def create_app(google: FakeGoogle) -> Starlette:
    """Return the application; it needs `CuttableProtocol` to be served by."""
    routes = [Route(each.path, _endpoint(google, each), methods=[each.verb]) for each in _METHODS]

    async def token(request: Request) -> Response:
        fault = google.faults.strike("token")
        return await _spoilt(fault, await answer_token(google, request, fault))

    async def consent(request: Request) -> Response:
        return answer_consent(google, request)

    control = Control(google)

    async def steer(request: Request) -> Response:
        return await answer_control(control, request)

    routes += [
        Route("/o/oauth2/v2/auth", consent, methods=["GET"]),
        Route("/token", token, methods=["POST"]),
        Route("/__control", steer, methods=["POST"]),
    ]
    return Starlette(routes=routes)


def _endpoint(google: FakeGoogle, method: _Method) -> Callable[[Request], Awaitable[Response]]:
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
            response = await _answer(google, method, request, grant, fault)
        except DriveError as error:
            response = _refusal(error)
        google.requests.append(Record(name, user, file_id, response.status_code))
        return await _spoilt(fault, response)

    return answer


async def _answer(
    google: FakeGoogle, method: _Method, request: Request, grant: Grant, fault: Fault | None
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


def _grant(google: FakeGoogle, request: Request) -> Grant:
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


async def _spoilt(fault: Fault | None, response: Response) -> Response:
    if fault is not None and fault.kind in {FaultKind.TIMEOUT, FaultKind.CUT}:
        return _Silence(fault)
    return response


class _Silence(Response):
    """No answer: the connection is cut, or nothing comes until the client gives up."""

    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self._fault = fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        if self._fault.kind is FaultKind.TIMEOUT:
            await hang(receive, self._fault.seconds or TIMEOUT_SECONDS)
        await cut(scope, receive)
