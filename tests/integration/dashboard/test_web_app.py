from __future__ import annotations

import base64
from hashlib import sha256
from pathlib import Path

import pytest
from httpx import AsyncClient

from raglive.store.pool import Database
from tests.integration.dashboard.serving import opened

INLINE = 'self.__next_f.push([1,"a < b && c"])'
PAGE = (
    "<!doctype html><head><script src='./_next/static/chunks/main-1.js' async=''></script></head>"
    f"<body><script>{INLINE}</script><script></script></body>"
)


@pytest.fixture
def app_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    for name, text in {
        "index.html": PAGE,
        "pipeline/index.html": PAGE,
        "404.html": "<head></head><p>Nothing here.</p>",
        "_next/static/chunks/main-1.js": "let a = 1;" * 500,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "secret.html").write_text("secret")
    return folder


async def test_pages_may_run_their_own_scripts_and_no_others(
    database: Database, app_folder: Path
) -> None:
    async with opened(database, app_folder=app_folder) as http:
        for path, base in (("/", "./"), ("/pipeline/", "../"), ("/pipeline/?id=x/y", "../")):
            page = await http.get(path)
            assert page.status_code == 200
            assert page.text == PAGE.replace("<head>", f'<head><base href="{base}"/>')
            assert page.headers["Cache-Control"] == "no-cache"
            rules = dict(
                rule.split(" ", 1) for rule in page.headers["Content-Security-Policy"].split("; ")
            )
            digest = base64.b64encode(sha256(INLINE.encode()).digest()).decode()
            assert rules["script-src"] == f"'self' 'sha256-{digest}'"
            assert rules["connect-src"] == "'self' https://rag.example wss://rag.example"
            assert rules["frame-ancestors"] == "'none'"
            assert page.headers["X-Content-Type-Options"] == "nosniff"


async def test_immutable_files_are_cached_and_others_revalidated(
    database: Database, app_folder: Path
) -> None:
    async with opened(database, app_folder=app_folder) as http:
        script = await http.get("/_next/static/chunks/main-1.js")
        assert script.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert script.headers["Content-Encoding"] == "gzip"
        assert "javascript" in script.headers["Content-Type"]
        page = await http.get("/")
        again = await http.get("/", headers={"If-None-Match": page.headers["ETag"]})
        assert again.status_code == 304
    async with opened(database, app_folder=app_folder, RAGLIVE_STATUS_URL=".") as http:
        proxied = {"X-Forwarded-For": "203.0.113.7"}
        again = await http.get("/", headers={"If-None-Match": page.headers["ETag"], **proxied})
        assert again.status_code == 200, "its policy has changed"
        assert "connect-src 'self';" in again.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("path", "base"),
    [
        ("/nowhere", "./"),
        ("/_next/static/gone.js", "../../"),
        ("/a%2Fb/c", "../"),
        ("/../secret.html", "./"),
        ("/%2e%2e/secret.html", "../"),
    ],
)
async def test_what_is_not_there_is_404(
    database: Database, app_folder: Path, path: str, base: str
) -> None:
    async with opened(database, app_folder=app_folder) as http:
        page = await http.get(path)
        assert page.status_code == 404
        assert page.text == f'<head><base href="{base}"/></head><p>Nothing here.</p>'
        assert page.headers["Cache-Control"] == "no-cache"


async def test_a_route_without_its_slash_is_redirected(
    database: Database, app_folder: Path
) -> None:
    async with opened(database, app_folder=app_folder) as http:
        moved = await http.get("/pipeline?id=x")
        assert moved.status_code == 307
        assert moved.headers["Location"] == "./pipeline/?id=x"


async def test_an_app_that_is_not_built_says_how_to_build_it(http: AsyncClient) -> None:
    page = await http.get("/")
    assert page.status_code == 503
    assert "make setup" in page.text
    assert (await http.get("/api/rag-status")).status_code == 200
