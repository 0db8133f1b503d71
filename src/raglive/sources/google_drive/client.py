"""The methods of the Drive v3 API that the pipeline calls, with typed results."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from raglive.sources.google_drive.credentials import Credentials, TokenSource
from raglive.sources.google_drive.drive_file import FIELDS, DriveFile
from raglive.sources.google_drive.quota import UNITS_PER_MINUTE, QuotaBucket
from raglive.sources.google_drive.transport import GOOGLE, DriveTransport, RetryPolicy
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["ChangeLogPage", "DriveChange", "DriveClient", "ListingPage", "open_drive"]

PAGE_SIZE = 1000
TIMEOUT = httpx.Timeout(60, connect=15)
_ALL_DRIVES = {"supportsAllDrives": "true", "includeItemsFromAllDrives": "true"}


@dataclass(frozen=True, slots=True)
class ListingPage:
    """A page of a folder listing. Google sets `is_incomplete` when it did not list everything."""

    files: list[DriveFile]
    next: str | None
    is_incomplete: bool


@dataclass(frozen=True, slots=True)
class DriveChange:
    """The new state of a file; `file` is None when it was removed from this change log."""

    file_id: str
    file: DriveFile | None


@dataclass(frozen=True, slots=True)
class ChangeLogPage:
    """A page of a change log and the cursor after it.

    `mentions_drives` is set when a shared drive itself changed, or the account's membership.
    """

    changes: list[DriveChange]
    cursor: str
    is_last: bool
    mentions_drives: bool = False


@dataclass(frozen=True, slots=True)
class DriveClient:
    """One account's Drive. Every method raises the errors of `DriveTransport`."""

    transport: DriveTransport
    page_size: int = PAGE_SIZE

    def with_resource_keys(self, keys: Mapping[str, str]) -> DriveClient:
        """Return a client that sends these resource keys, by item id, with each request."""
        if not keys:
            return self
        return replace(self, transport=replace(self.transport, resource_keys=keys))

    async def file(self, file_id: str) -> DriveFile:
        """Return a file's metadata."""
        params = {"fields": FIELDS, "supportsAllDrives": "true"}
        return DriveFile.of(await self.transport.json("GET", f"files/{file_id}", "get", params))

    async def export_links(self, file_id: str) -> dict[str, str]:
        """Return the export URLs of a Google document by media type."""
        params = {"fields": "exportLinks", "supportsAllDrives": "true"}
        found = await self.transport.json("GET", f"files/{file_id}", "get", params)
        return dict(found.get("exportLinks") or {})

    async def is_member(self, drive_id: str) -> bool:
        """Check whether the account is a member of a shared drive, and so may read its log."""
        try:
            await self.transport.json("GET", f"drives/{drive_id}", "get", {"fields": "id"})
        except RagliveError as error:
            if error.code in {ErrorCode.DRIVE_NOT_FOUND, ErrorCode.DRIVE_FORBIDDEN}:
                return False
            raise
        return True

    async def children(
        self, folders: Sequence[str], drive_id: str | None, token: str | None
    ) -> ListingPage:
        """Return a page of the direct content of these folders, without trashed files."""
        parents = " or ".join(f"'{folder}' in parents" for folder in folders)
        params = {
            "q": f"({parents}) and trashed=false",
            "fields": f"nextPageToken,incompleteSearch,files({FIELDS})",
            "pageSize": str(self.page_size),
            **_ALL_DRIVES,
        }
        params |= {"corpora": "drive", "driveId": drive_id} if drive_id else {"corpora": "user"}
        if token:
            params["pageToken"] = token
        found = await self.transport.json("GET", "files", "list", params)
        return ListingPage(
            [DriveFile.of(one) for one in found.get("files", ())],
            found.get("nextPageToken"),
            bool(found.get("incompleteSearch")),
        )

    async def start_token(self, drive_id: str | None) -> str:
        """Return the cursor at the end of a change log: a shared drive's, or the account's."""
        params = {"supportsAllDrives": "true"} | ({"driveId": drive_id} if drive_id else {})
        found = await self.transport.json("GET", "changes/startPageToken", "get", params)
        return str(found["startPageToken"])

    async def changes(self, cursor: str, drive_id: str | None) -> ChangeLogPage:
        """Return a page of the changes after the cursor."""
        params = {
            "pageToken": cursor,
            "pageSize": str(self.page_size),
            "fields": "nextPageToken,newStartPageToken,"
            f"changes(changeType,removed,fileId,file({FIELDS}))",
            "includeRemoved": "true",
            "includeCorpusRemovals": "true",
            "restrictToMyDrive": "false",
            **_ALL_DRIVES,
        }
        if drive_id:
            params["driveId"] = drive_id
        found = await self.transport.json("GET", "changes", "list", params)
        following = found.get("nextPageToken")
        changes = found.get("changes", ())
        return ChangeLogPage(
            [_change(one) for one in changes if one.get("fileId")],
            str(following or found["newStartPageToken"]),
            is_last=following is None,
            mentions_drives=any(one.get("changeType") == "drive" for one in changes),
        )

    async def watch(self, drive_id: str | None, channel: dict[str, str]) -> dict[str, Any]:
        """Open a push channel on a change log; return Google's description of it."""
        params = {
            "pageToken": await self.start_token(drive_id),
            "includeRemoved": "true",
            "includeCorpusRemovals": "true",
            **_ALL_DRIVES,
        }
        if drive_id:
            params["driveId"] = drive_id
        return await self.transport.json("POST", "changes/watch", "get", params, channel)

    async def stop_channel(self, channel_id: str, resource_id: str) -> None:
        """Close a push channel."""
        body = {"id": channel_id, "resourceId": resource_id}
        await self.transport.json("POST", "channels/stop", "get", {}, body)


@asynccontextmanager
async def open_drive(
    credentials: Credentials,
    url: str = GOOGLE,
    retry: RetryPolicy | None = None,
    *,
    units_per_minute: float = UNITS_PER_MINUTE,
) -> AsyncIterator[DriveClient]:
    """Open an HTTP client for Google Drive and close it at the end of the block.

    All requests together take at most `units_per_minute` of the quota.
    """
    async with httpx.AsyncClient(timeout=TIMEOUT) as http:
        tokens = TokenSource(credentials, http)
        quota = QuotaBucket(units_per_minute)
        transport = DriveTransport(http, tokens, url.rstrip("/"), quota, retry or RetryPolicy())
        yield DriveClient(transport)


def _change(found: dict[str, Any]) -> DriveChange:
    gone = found.get("removed") or not found.get("file")
    return DriveChange(found["fileId"], None if gone else DriveFile.of(found["file"]))
