"""Faults on demand: which requests fail, how, and how often."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import httpx
import pytest

from fake_google_drive import FakeDrive, FakeDriveServer, FaultKind
from tests.integration.fake_google_drive.conftest import ANN, BOB, Asker


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        (FaultKind.USER_RATE_LIMIT, 403, "userRateLimitExceeded"),
        (FaultKind.RATE_LIMIT, 403, "rateLimitExceeded"),
        (FaultKind.TOO_MANY_REQUESTS, 429, "rateLimitExceeded"),
        (FaultKind.INTERNAL, 500, "internalError"),
        (FaultKind.UNAVAILABLE, 503, "backendError"),
        (FaultKind.FORBIDDEN, 403, "insufficientFilePermissions"),
        (FaultKind.NOT_FOUND, 404, "notFound"),
        (FaultKind.UNAUTHENTICATED, 401, "authError"),
        (FaultKind.DOWNLOAD_QUOTA, 403, "downloadQuotaExceeded"),
        (FaultKind.DOMAIN_POLICY, 403, "domainPolicy"),
        (FaultKind.UNKNOWN_REASON, 403, "someNewReason"),
        (FaultKind.PAGE_TOKEN_INVALID, 400, "invalid"),
        (FaultKind.PAGE_TOKEN_NOT_FOUND, 404, "notFound"),
        (FaultKind.PAGE_TOKEN_EXPIRED, 403, "pageTokenExpired"),
        (FaultKind.PAGE_TOKEN_GONE, 410, "gone"),
    ],
)
async def test_a_refusal_applies_to_the_chosen_requests(
    server: FakeDriveServer, ann: Asker, kind: FaultKind, status: int, reason: str
) -> None:
    server.fail("files.list", kind, times=2, after=1)
    await ann.get("files")
    await ann.get("about", fields="user")
    assert await ann.refused("files") == (status, reason)
    assert await ann.refused("files") == (status, reason)
    await ann.get("files")


async def test_a_refusal_carries_retry_after(server: FakeDriveServer, ann: Asker) -> None:
    server.fail("*", FaultKind.TOO_MANY_REQUESTS, seconds=3)
    assert (await ann.http.get("files")).headers["Retry-After"] == "3"


async def test_a_fault_may_be_for_one_user_or_file(
    server: FakeDriveServer, drive: FakeDrive, ann: Asker, bob: Asker
) -> None:
    file = drive.create("a", drive.my_drive(ANN))
    server.fail("*", FaultKind.INTERNAL, user=BOB)
    server.fail("files.get", FaultKind.INTERNAL, file_id=file.id, times=None)
    await ann.get("files/root")
    assert (await bob.refused("files/root"))[0] == 500
    await bob.get("files/root")
    for _ in range(3):
        assert (await ann.refused(f"files/{file.id}"))[0] == 500


async def test_connections_are_closed_and_answers_time_out(
    server: FakeDriveServer, ann: Asker
) -> None:
    server.fail("files.list", FaultKind.CUT)
    with pytest.raises(httpx.RemoteProtocolError):
        await ann.http.get("files")
    server.fail("files.list", FaultKind.TIMEOUT)
    with pytest.raises(httpx.ReadTimeout):
        await ann.http.get("files", timeout=0.2)
    server.fail("files.list", FaultKind.TIMEOUT, seconds=0.05)
    with pytest.raises(httpx.RemoteProtocolError):
        await ann.http.get("files")
    await ann.get("files")


async def test_downloads_are_truncated_or_corrupted(
    server: FakeDriveServer, drive: FakeDrive, ann: Asker
) -> None:
    content = bytes(range(256)) * 4096
    path = f"files/{drive.create('a.bin', drive.my_drive(ANN), content).id}?alt=media"
    server.fail("files.getMedia", FaultKind.TRUNCATED)
    with pytest.raises(httpx.RemoteProtocolError):
        await ann.http.get(path)
    server.fail("files.getMedia", FaultKind.CORRUPTED)
    spoilt = (await ann.http.get(path)).content
    assert len(spoilt) == len(content)
    metadata = await ann.get(path.partition("?")[0], fields="sha256Checksum")
    assert hashlib.sha256(spoilt).hexdigest() != metadata["sha256Checksum"]
    assert (await ann.http.get(path)).content == content


@pytest.mark.parametrize(
    ("wanted", "status", "part"),
    [
        ("bytes=0-9", 206, range(10)),
        ("bytes=90-", 206, range(90, 100)),
        ("bytes=-5", 206, range(95, 100)),
        ("bytes=50-900", 206, range(50, 100)),
        ("bytes=0-99", 200, range(100)),
        ("lines=1-2", 200, range(100)),
        ("bytes=100-", 416, range(0)),
    ],
)
async def test_ranges(drive: FakeDrive, ann: Asker, wanted: str, status: int, part: range) -> None:
    content = bytes(range(100))
    file = drive.create("a.bin", drive.my_drive(ANN), content)
    path = f"files/{file.id}?alt=media"
    answer = await ann.http.get(path, headers={"Range": wanted})
    assert answer.status_code == status
    if status != 416:
        assert answer.content == bytes(part)
    if status == 206:
        assert answer.headers["Content-Range"] == f"bytes {part[0]}-{part[-1]}/100"


async def test_a_search_may_be_incomplete_and_an_operation_fail(
    server: FakeDriveServer, drive: FakeDrive, ann: Asker
) -> None:
    server.fail("files.list", FaultKind.INCOMPLETE_SEARCH)
    assert (await ann.get("files"))["incompleteSearch"]
    assert not (await ann.get("files"))["incompleteSearch"]
    file = drive.create("a", drive.my_drive(ANN))
    server.fail("operations.get", FaultKind.OPERATION_FAILED)
    name = (await ann.http.post(f"files/{file.id}/download")).json()["name"]
    done = await ann.get(f"operations/{name}")
    assert done["done"]
    assert done["error"]["code"] == 13


async def test_pages_and_redirects_come_instead_of_answers(
    server: FakeDriveServer, drive: FakeDrive, ann: Asker
) -> None:
    path = f"files/{drive.create('a.md', drive.my_drive(ANN), b'a').id}?alt=media"
    for kind, status, media_type in (
        (FaultKind.AUTOMATED_QUERIES, 403, "text/html"),
        (FaultKind.CAPTCHA_PAGE, 200, "text/html"),
        (FaultKind.MISLABELLED_PAGE, 200, "text/markdown"),
    ):
        server.fail("files.getMedia", kind)
        page = await ann.http.get(path)
        received = page.headers["Content-Type"].partition(";")[0]
        assert (page.status_code, received) == (status, media_type)
        assert page.text.startswith("<!DOCTYPE html>")
    server.fail("files.getMedia", FaultKind.REDIRECT_TO_SIGN_IN)
    redirected = await ann.http.get(path)
    assert redirected.status_code == 302
    assert redirected.headers["Location"].startswith("https://accounts.google.com/")


async def test_quota_is_counted_by_user_and_minute() -> None:
    clock = [60_000.0]
    drive = FakeDrive(now=lambda: clock[0])
    async with FakeDriveServer(drive) as server:
        server.google.quota.per_user = 205
        ann, bob = Asker(server, ANN), Asker(server, BOB)
        async with ann.http, bob.http:
            await ann.get("files")
            await ann.get("changes", pageToken="1000")
            await ann.get("files/root")
            assert server.google.quota.used(ANN) == 205
            assert await ann.refused("files/root") == (403, "userRateLimitExceeded")
            await bob.get("files")
            server.google.quota.per_project = 306
            assert await bob.refused("files/root") == (403, "rateLimitExceeded")
            clock[0] += 60
            await ann.get("files/root")


async def test_expired_page_tokens_are_refused_with_the_configured_error(
    server: FakeDriveServer, drive: FakeDrive, ann: Asker
) -> None:
    drive.create("a", drive.my_drive(ANN))
    drive.expire_page_tokens()
    for kind, status in (
        (FaultKind.PAGE_TOKEN_GONE, 410),
        (FaultKind.PAGE_TOKEN_NOT_FOUND, 404),
        (FaultKind.PAGE_TOKEN_INVALID, 400),
    ):
        server.google.expired_page_token = kind
        assert (await ann.refused("changes", pageToken="1000"))[0] == status
    token = (await ann.get("changes/startPageToken"))["startPageToken"]
    assert (await ann.get("changes", pageToken=token))["newStartPageToken"] == token


async def test_actions_over_http(server: FakeDriveServer, ann: Asker) -> None:
    async def act(**asked: Any) -> Any:
        answer = await ann.http.post(f"{server.url}/__control", json=asked)
        return answer.json().get("result"), answer.json().get("error")

    root, _ = await act(action="my_drive", user=ANN)
    file, _ = await act(action="create", name="a.txt", parent=root, content="hello")
    assert (await ann.http.get(f"files/{file}?alt=media")).text == "hello"
    await act(action="fail", method="files.get", kind="unavailable")
    assert (await ann.refused(f"files/{file}"))[0] == 503
    await act(action="delete", item=file)
    assert await ann.names() == []
    requests, _ = await act(action="requests")
    assert [each["method"] for each in requests] == ["files.getMedia", "files.get", "files.list"]
    for asked, fault in (
        ({"action": "explode"}, "Unknown action 'explode'"),
        ({"action": "create", "name": "a"}, "parent"),
        ({"action": "trash", "item": "nope"}, "'nope' does not exist"),
        ({"action": "trash", "item": root}, "root of a drive"),
        ({"action": "fail", "method": "*", "kind": "boredom"}, "kind"),
        (
            {"action": "fail", "method": "files.lst", "kind": "internal"},
            "unknown method 'files.lst'",
        ),
    ):
        result, error = await act(**asked)
        assert result is None
        assert fault in error


async def test_web_pages_cannot_send_actions(server: FakeDriveServer) -> None:
    body = '{"action": "my_drive", "user": "eve@example.com"}'
    async with httpx.AsyncClient(base_url=server.url) as page:
        answer = await page.post("/__control", content=body)
        assert answer.status_code == 415
        headers = {"Content-Type": "application/json", "Host": "evil.example"}
        answer = await page.post("/__control", content=body, headers=headers)
        assert answer.status_code == 403


async def test_it_stops_at_once_despite_open_requests(
    drive: FakeDrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeDriveServer(drive) as server:
        struck, strike = asyncio.Event(), server.google.faults.strike

        def note(*request: Any, **of: Any) -> Any:
            struck.set()
            return strike(*request, **of)

        monkeypatch.setattr(server.google.faults, "strike", note)
        server.fail("files.list", FaultKind.TIMEOUT)
        async with Asker(server, ANN).http as http, asyncio.timeout(5):
            waiting = asyncio.create_task(http.get("files"))
            await struck.wait()
            await server.close()
            await server.close()
            with pytest.raises(httpx.TransportError):
                await waiting
