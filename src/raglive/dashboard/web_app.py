"""The built web app: static files, with a policy that allows only the page's own scripts.

The app's addresses are relative, so that it works at any path. Each page is told by a `<base>`
element how far above its own address the app begins.
"""

from __future__ import annotations

import base64
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import ASGIApp, Scope

from raglive.dashboard.status_server_address import WITH_THE_PAGE, StatusServerAddress
from raglive.http_api.base_path import redirect_to_folder

__all__ = ["BUILT_APP", "create_web_app"]

BUILT_APP = Path(__file__).with_name("app")
_IMMUTABLE = "public, max-age=31536000, immutable"
_NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>raglive</title>
<body style="font: 16px/1.5 system-ui; max-width: 36em; margin: 4em auto; padding: 0 1em">
<h1>The web app is not built</h1>
<p>Run <code>make setup</code> in the folder of raglive, then start the dashboard again.
Everything below <code>/api/</code> works without it.</p>
</body>
</html>
"""


def create_web_app(address: StatusServerAddress, folder: Path = BUILT_APP) -> ASGIApp:
    """Create the application for the files in `folder`; explains how to build them if missing."""
    if not (folder / "index.html").is_file():
        return HTMLResponse(_NOT_BUILT, 503, {"Cache-Control": "no-store"})
    return GZipMiddleware(_WebApp(folder, address), minimum_size=1024)


class _WebApp(StaticFiles):
    def __init__(self, folder: Path, address: StatusServerAddress) -> None:
        folder = folder.resolve()
        super().__init__(directory=folder, html=True)
        self._address = address
        self._pages = {str(page): _Page(page.read_text("utf-8")) for page in folder.rglob("*.html")}

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if isinstance(response, RedirectResponse):
            response = redirect_to_folder(Request(scope))
        elif isinstance(response, FileResponse) and str(response.path) in self._pages:
            page = self._pages[str(response.path)]
            response = self._page(page, response.status_code, Request(scope))
        is_fixed = path.startswith("_next/static/") and response.status_code in {200, 304}
        response.headers["Cache-Control"] = _IMMUTABLE if is_fixed else "no-cache"
        return response

    def _page(self, page: _Page, status: int, request: Request) -> Response:
        body = page.at(_base(request))
        policy = _policy(page.scripts, self._address.origin(request))
        tag = sha256(f"{policy}\n{body}".encode()).hexdigest()[:32]
        headers = Headers({"Content-Security-Policy": policy, "ETag": f'"{tag}"'})
        if status == 200 and self.is_not_modified(headers, request.headers):
            return NotModifiedResponse(headers)
        return HTMLResponse(body, status, headers)


class _Page:
    """A page of the app; `scripts` are the CSP sources of its inline scripts."""

    def __init__(self, html: str) -> None:
        self._html = html
        self.scripts = " ".join(_script_hashes(html))

    def at(self, base: str) -> str:
        return self._html.replace("<head>", f'<head><base href="{base}"/>', 1)


def _base(request: Request) -> str:
    """Make the relative address of the app's root; an encoded slash is not a level of a path."""
    levels = request.scope["raw_path"].count(b"/") - 1
    return "../" * levels or "./"


def _policy(scripts: str, status_origin: str) -> str:
    connections = ["'self'"]
    if status_origin != WITH_THE_PAGE:
        connections += [status_origin, status_origin.replace("http", "ws", 1)]
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {scripts}".rstrip(),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            f"connect-src {' '.join(connections)}",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


class _InlineScripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[str] = []
        self._is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_inside = tag == "script" and "src" not in dict(attrs)
        if self._is_inside:
            self.found.append("")

    def handle_data(self, data: str) -> None:
        if self._is_inside:
            self.found[-1] += data

    def handle_endtag(self, _tag: str) -> None:
        self._is_inside = False


def _script_hashes(html: str) -> list[str]:
    """List the CSP sources that allow exactly the inline scripts of a page."""
    parser = _InlineScripts()
    parser.feed(html.replace("\r\n", "\n"))
    parser.close()
    digests = dict.fromkeys(sha256(script.encode()).digest() for script in parser.found if script)
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
