"""Requests below the path at which a proxy serves raglive, and redirects that work there."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["BasePath", "redirect_to_folder"]


class BasePath:
    """Middleware that removes `path`, such as `/rag`, from the requests that begin with it.

    Other requests are passed on as they are: they come from clients that do not use the proxy.
    """

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path.encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or redirect `path` itself to the page."""
        raw_path: bytes = scope.get("raw_path", b"")
        if raw_path == self._path and scope["type"] == "http":
            await redirect_to_folder(Request(scope))(scope, receive, send)
            return
        if raw_path.startswith(self._path + b"/"):
            length = len(self._path)  # unreserved characters, which an address does not encode
            scope = {**scope, "path": scope["path"][length:], "raw_path": raw_path[length:]}
        await self._app(scope, receive, send)


def redirect_to_folder(request: Request) -> RedirectResponse:
    """Redirect to the same address with a slash.

    The address is relative, because a proxy may change the scheme, the host and the path.
    """
    name = request.url.path.rpartition("/")[2]
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"./{name}/{query}", 307)
