"""Drive v3 over HTTP: each method that raglive calls, with quota, retries and typed answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import structlog

from raglive.sources.google_drive.credentials import Credentials, TokenSource
from raglive.sources.google_drive.errors import DriveUnavailable
from raglive.sources.google_drive.files import FIELDS, DriveFile
from raglive.sources.google_drive.throttling import COSTS, QuotaBucket, RetryPolicy, refusal_of
from raglive_contract.errors import RagliveError

__all__ = ["Change", "ChangePage", "DriveClient", "FilePage", "open_drive"]

log = structlog.get_logger()

GOOGLE = "https://www.googleapis.com"
PAGE_SIZE = 1000
TIMEOUT = httpx.Timeout(60, connect=15)
_EVERYWHERE = {"supportsAllDrives": "true", "includeItemsFromAllDrives": "true"}


@dataclass(frozen=True, slots=True)
class FilePage:
    """A page of a listing."""

    files: list[DriveFile]
    next: str | None
    is_incomplete: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What has become of a file; without `file` it is gone from this log."""

    file_id: str
    file: DriveFile | None


@dataclass(frozen=True, slots=True)
class ChangePage:
    """A page of a change log, and the cursor after it; `is_last` when nothing follows yet.

    `tells_of_drives`: a shared drive itself has changed, or whether the account is its member.
    """

    changes: list[Change]
    cursor: str
    is_last: bool
    tells_of_drives: bool = False


@dataclass(frozen=True, slots=True)
class DriveClient:
    """One account's Drive.

    Every method raises `AuthRequired`, `DriveUnavailable`, `DriveRateLimited`, `DriveNotFound`,
    `DriveForbidden` or `CursorLost`.
    """

    http: httpx.AsyncClient
    tokens: TokenSource
    url: str = GOOGLE
    quota: QuotaBucket = field(default_factory=QuotaBucket)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    page_size: int = PAGE_SIZE

    async def file(self, file_id: str) -> DriveFile:
        """Return a file's metadata."""
        params = {"fields": FIELDS, "supportsAllDrives": "true"}
        return DriveFile.of(await self.json("GET", f"files/{file_id}", "get", params))

    async def export_links(self, file_id: str) -> dict[str, str]:
        """Return addresses to export from, by media type."""
        params = {"fields": "exportLinks", "supportsAllDrives": "true"}
        found = await self.json("GET", f"files/{file_id}", "get", params)
        return dict(found.get("exportLinks") or {})

    async def is_member(self, drive_id: str) -> bool:
        """Say whether the account reads this shared drive's change log."""
        try:
            await self.json("GET", f"drives/{drive_id}", "get", {"fields": "id"})
        except RagliveError as error:
            if error.code in {"drive_not_found", "drive_forbidden"}:
                return False
            raise
        return True

    async def children(
        self, folders: Sequence[str], drive_id: str | None, token: str | None
    ) -> FilePage:
        """Return a page of what is directly in these folders, and not trashed."""
        parents = " or ".join(f"'{folder}' in parents" for folder in folders)
        params = {
            "q": f"({parents}) and trashed=false",
            "fields": f"nextPageToken,incompleteSearch,files({FIELDS})",
            "pageSize": str(self.page_size),
            **_EVERYWHERE,
        }
        params |= {"corpora": "drive", "driveId": drive_id} if drive_id else {"corpora": "user"}
        if token:
            params["pageToken"] = token
        found = await self.json("GET", "files", "list", params)
        return FilePage(
            [DriveFile.of(one) for one in found.get("files", ())],
            found.get("nextPageToken"),
            bool(found.get("incompleteSearch")),
        )

    async def start_token(self, drive_id: str | None) -> str:
        """Return the cursor of the changes to come."""
        params = {"supportsAllDrives": "true"} | ({"driveId": drive_id} if drive_id else {})
        found = await self.json("GET", "changes/startPageToken", "get", params)
        return str(found["startPageToken"])

    async def changes(self, cursor: str, drive_id: str | None) -> ChangePage:
        """Return what has changed since the cursor."""
        params = {
            "pageToken": cursor,
            "pageSize": str(self.page_size),
            "fields": "nextPageToken,newStartPageToken,"
            f"changes(changeType,removed,fileId,file({FIELDS}))",
            "includeRemoved": "true",
            "includeCorpusRemovals": "true",
            "restrictToMyDrive": "false",
            **_EVERYWHERE,
        }
        if drive_id:
            params["driveId"] = drive_id
        found = await self.json("GET", "changes", "list", params)
        following = found.get("nextPageToken")
        told = found.get("changes", ())
        return ChangePage(
            [_change(one) for one in told if one.get("fileId")],
            str(following or found["newStartPageToken"]),
            is_last=following is None,
            tells_of_drives=any(one.get("changeType") == "drive" for one in told),
        )

    async def watch(self, drive_id: str | None, channel: dict[str, str]) -> dict[str, Any]:
        """Open a push channel on a change log; return it as Google has it."""
        params = {
            "pageToken": await self.start_token(drive_id),
            "includeRemoved": "true",
            "includeCorpusRemovals": "true",
            **_EVERYWHERE,
        }
        if drive_id:
            params["driveId"] = drive_id
        return await self.json("POST", "changes/watch", "get", params, channel)

    async def stop_channel(self, channel_id: str, resource_id: str) -> None:
        """Close a push channel."""
        await self.json(
            "POST", "channels/stop", "get", {}, {"id": channel_id, "resourceId": resource_id}
        )

    async def json(
        self,
        method: str,
        path: str,
        cost: str,
        params: dict[str, str],
        body: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Call a method; return its answer's JSON object."""
        content = None if body is None else orjson.dumps(body)
        async with self.stream(method, self.address(path), cost, params, content) as answer:
            read = await _read(answer, path)
        if not read:
            return {}
        try:
            found = orjson.loads(read)
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise DriveUnavailable(f"Google Drive, {path}: the answer is not JSON.")
        return found

    def address(self, path: str) -> str:
        """Return the address of a method."""
        return f"{self.url}/drive/v3/{path}"

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        cost: str,
        params: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """Lend an answer that is a success, its body not read yet."""
        answer = await self._insist(method, url, cost, params, content)
        try:
            yield answer
        finally:
            await answer.aclose()

    async def _insist(
        self,
        method: str,
        url: str,
        cost: str,
        params: dict[str, str] | None,
        content: bytes | None,
    ) -> httpx.Response:
        what, refused = url.rpartition("/v3/")[2].partition("?")[0], ""
        for attempt in range(self.retry.attempts):
            headers = {} if content is None else {"Content-Type": "application/json"}
            request = self.http.build_request(
                method, url, params=params, headers=headers, content=content
            )
            answer = await self._try(request, what, COSTS[cost], refused)
            if isinstance(answer, httpx.Response):
                return answer
            error = answer
            if error.code == "auth_required" and not refused and "Authorization" in request.headers:
                refused = request.headers["Authorization"].removeprefix("Bearer ")
                continue
            if not error.retryable or error.code in {"auth_required", "drive_cursor_lost"}:
                raise error
            if attempt + 1 < self.retry.attempts:
                pause = self.retry.pause(attempt, error.retry_after_ms)
                log.info("drive_retry", what=what, code=error.code, seconds=round(pause, 2))
                await asyncio.sleep(pause)
        raise error

    async def _try(
        self, request: httpx.Request, what: str, cost: float, refused: str
    ) -> httpx.Response | RagliveError:
        """Send a request with a token other than `refused`; return the answer, or why not."""
        try:
            token = await self.tokens.token(refused)
            await self.quota.take(cost)
            request.headers["Authorization"] = f"Bearer {token}"
            answer = await self.http.send(request, stream=True)
            if answer.is_success:
                return answer
            try:
                refusal = refusal_of(answer.status_code, answer.headers, await answer.aread())
            finally:
                await answer.aclose()
        except httpx.HTTPError as error:
            said = f"Google Drive, {what}: no answer ({type(error).__name__})."
            return DriveUnavailable(said)
        except RagliveError as error:
            return error
        if refusal.is_rate_limit:
            self.quota.drain()
        return refusal.error(what)


@asynccontextmanager
async def open_drive(
    credentials: Credentials, url: str = GOOGLE, retry: RetryPolicy | None = None
) -> AsyncIterator[DriveClient]:
    """Open the connections to Google Drive."""
    async with httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=True) as http:
        tokens = TokenSource(credentials, http)
        yield DriveClient(http, tokens, url.rstrip("/"), retry=retry or RetryPolicy())


async def _read(answer: httpx.Response, what: str) -> bytes:
    try:
        return await answer.aread()
    except httpx.HTTPError as error:
        raise DriveUnavailable(
            f"Google Drive, {what}: the answer broke off ({type(error).__name__})."
        ) from None


def _change(found: dict[str, Any]) -> Change:
    gone = found.get("removed") or not found.get("file")
    return Change(found["fileId"], None if gone else DriveFile.of(found["file"]))
