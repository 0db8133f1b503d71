from __future__ import annotations

import pytest
from httpx import ASGITransport, AsyncClient
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from raglive.http_api.base_path import BasePath


async def seen(scope: Scope, receive: Receive, send: Send) -> None:
    found = [scope["path"], scope["raw_path"].decode()]
    await JSONResponse(found)(scope, receive, send)


async def get(path: str) -> tuple[int, str | list[str]]:
    transport = ASGITransport(BasePath(seen, "/team/rag"))
    async with AsyncClient(transport=transport, base_url="http://host") as http:
        answer = await http.get(path)
    return answer.status_code, answer.headers.get("Location") or answer.json()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/team/rag/api/session?x=1", ["/api/session", "/api/session"]),
        ("/team/rag/", ["/", "/"]),
        ("/team/rag/a%2Fb%20c", ["/a/b c", "/a%2Fb%20c"]),
        ("/api/session", ["/api/session", "/api/session"]),
        ("/team/ragged", ["/team/ragged", "/team/ragged"]),
        ("/team%2Frag/x", ["/team/rag/x", "/team%2Frag/x"]),
    ],
)
async def test_the_path_is_removed_where_it_is(path: str, expected: list[str]) -> None:
    assert await get(path) == (200, expected)


async def test_the_path_itself_is_redirected_to_the_page() -> None:
    assert await get("/team/rag?id=x") == (307, "./rag/?id=x")
