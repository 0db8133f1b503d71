"""Downloads or exports a file to a temporary file, with its checksum and size verified."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx

from raglive.extraction.errors import Skipped
from raglive.sources.google_drive.client import DriveClient
from raglive.sources.google_drive.drive_file import DriveFile, export_plan
from raglive.sources.google_drive.errors import (
    DriveNotFound,
    DriveRefused,
    DriveUnavailable,
    ExportFailed,
    TransferFailed,
)
from raglive.store.registry.jobs import Job
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["fetch", "save_content"]

CHUNK_BYTES = 256 * 1024
OPERATION_POLLS = 60
OPERATION_POLL_SECONDS = 2.0
_PAGE = "text/html"
# google.rpc.Code: invalid argument, not found, permission denied, failed precondition, out of
# range, unimplemented.
_FINAL_STATUSES = frozenset({3, 5, 7, 9, 11, 12})
_UNSUPPORTED = frozenset({"badRequest", "fileNotExportable", "invalid"})


@asynccontextmanager
async def fetch(client: DriveClient, job: Job, max_bytes: int) -> AsyncIterator[Path]:
    """Provide a job's file as a local path for the duration of the block.

    Raises `Skipped` for a file that may not be downloaded or cannot be exported, `TransferFailed`
    for a damaged download or a page in its place, `file_vanished` for a file that no longer exists,
    and the errors of `DriveTransport`.
    """
    file = await _current(client, job)
    with tempfile.TemporaryDirectory(prefix="raglive-") as folder:
        path = Path(folder) / "content"
        try:
            await save_content(client, file, path, max_bytes)
        except DriveNotFound:
            raise _vanished(job) from None
        yield path


async def save_content(client: DriveClient, file: DriveFile, path: Path, max_bytes: int) -> None:
    """Download or export a file to a path. Raises what `fetch` does, and `DriveNotFound`."""
    if file.is_shortcut_to_folder:
        raise Skipped(
            f"{file.name} is a shortcut to the folder {file.target_id}, and is not followed.",
            code=ErrorCode.SHORTCUT_TO_FOLDER,
        )
    if not file.can_download:
        raise Skipped(f"{file.name} may not be downloaded.", code=ErrorCode.NO_DOWNLOAD_RIGHT)
    try:
        await _Transfer(client, file, path, max_bytes).run()
    except DriveRefused as error:
        if error.skips_file:
            raise Skipped(error.message, code=error.code) from None
        raise


async def _current(client: DriveClient, job: Job) -> DriveFile:
    try:
        file = await client.file(job.location)
    except DriveNotFound:
        raise _vanished(job) from None
    if file.trashed:
        raise _vanished(job)
    return file


@dataclass(frozen=True, slots=True)
class _Transfer:
    """The transfer of one file to a path."""

    client: DriveClient
    file: DriveFile
    path: Path
    max_bytes: int

    async def run(self) -> None:
        if not self.file.is_native:
            await self._download()
            return
        plan = export_plan(self.file.mime_type)
        if not plan:
            kind = self.file.mime_type.rpartition(".")[2]
            raise Skipped(f"{self.file.name} is a Google {kind}, which has no text to export.")
        await self._export([mime_type for mime_type, _ in plan])

    async def _download(self) -> None:
        file = self.file
        self._require_size(file.size or 0)
        url = self.client.transport.address(f"files/{file.id}")
        params = {"alt": "media", "supportsAllDrives": "true"}
        digest, size = await self._save(url, file.mime_type, params)
        if file.checksum not in {None, digest} or file.size not in {None, size}:
            what = "size" if file.checksum is None else "checksum"
            raise TransferFailed(
                f"The {what} of {file.name} is not the one that Google Drive reports."
            )

    async def _export(self, formats: list[str]) -> None:
        """Export; documents over 10 MB by export links, or else by a long-running operation."""
        too_large: DriveRefused | None = None
        url = self.client.transport.address(f"files/{self.file.id}/export")
        for mime_type in formats:
            try:
                await self._save(url, mime_type, {"mimeType": mime_type})
            except DriveRefused as error:
                if error.code == ErrorCode.EXPORT_TOO_LARGE:
                    too_large = error
                elif error.reason not in _UNSUPPORTED:
                    raise
            else:
                return
        if too_large is None:
            raise Skipped(f"{self.file.name} cannot be exported by Google Drive.")
        if not await self._export_large(formats):
            raise too_large

    async def _export_large(self, formats: list[str]) -> bool:
        """Export by a link or an operation; raise why none is available if that may change."""
        unavailable: RagliveError | None = None
        for way in (self._by_link, self._by_operation):
            try:
                if await way(formats):
                    return True
            except (DriveUnavailable, ExportFailed, TransferFailed) as error:
                unavailable = error
        if unavailable is not None:
            raise unavailable
        return False

    async def _by_link(self, formats: list[str]) -> bool:
        links = await self.client.export_links(self.file.id)
        for mime_type in formats:
            if mime_type in links:
                with suppress(DriveRefused, DriveNotFound):
                    await self._save(links[mime_type], mime_type)
                    return True
        return False

    async def _by_operation(self, formats: list[str]) -> bool:
        for mime_type in formats:
            with suppress(DriveRefused, DriveNotFound):
                await self._save(await self._operate(mime_type), mime_type)
                return True
        return False

    async def _operate(self, mime_type: str) -> str:
        """Return the address of an operation's result. Raises `ExportFailed` for its error."""
        params = {"mimeType": mime_type}
        found = await self.client.transport.json(
            "POST", f"files/{self.file.id}/download", "download", params
        )
        for _ in range(OPERATION_POLLS):
            if found.get("done"):
                address = (found.get("response") or {}).get("downloadUri")
                if not address:
                    raise _failed_operation(self.file.name, found.get("error"))
                return str(address)
            await asyncio.sleep(OPERATION_POLL_SECONDS)
            found = await self.client.transport.json(
                "GET", f"operations/{found['name']}", "get", {}
            )
        raise ExportFailed(
            f"Google Drive did not export {self.file.name} within "
            f"{OPERATION_POLLS * OPERATION_POLL_SECONDS:g} s."
        )

    async def _save(
        self, url: str, mime_type: str, params: dict[str, str] | None = None
    ) -> tuple[str, int]:
        """Stream content of this media type to the file; return its checksum and size."""
        algorithm = (self.file.checksum or "sha256:").partition(":")[0]
        digest = hashlib.new(algorithm, usedforsecurity=False)
        size = 0
        async with self.client.transport.stream("GET", url, "download", params) as answer:
            self._require_content(_media_type(answer), mime_type)
            target = await asyncio.to_thread(self.path.open, "wb")
            try:
                async for chunk in answer.aiter_bytes(CHUNK_BYTES):
                    if size == 0 and self.file.is_native and _begins_page(chunk):
                        self._require_content(_PAGE, mime_type)
                    size += len(chunk)
                    self._require_size(size)
                    await asyncio.to_thread(_write, target, digest, chunk)
            except httpx.HTTPError as error:
                raise TransferFailed(
                    f"The download of {self.file.name} ended early ({type(error).__name__})."
                ) from None
            finally:
                await asyncio.to_thread(target.close)
        return f"{algorithm}:{digest.hexdigest()}", size

    def _require_content(self, received: str, expected: str) -> None:
        if received == _PAGE != expected:
            raise TransferFailed(
                f"Google Drive sent a web page instead of {self.file.name}, such as a request to "
                "sign in, a warning about viruses, or a captcha. It is not indexed."
            )

    def _require_size(self, size: int) -> None:
        if size > self.max_bytes:
            raise Skipped(
                f"{self.file.name} is larger than {self.max_bytes} bytes (RAGLIVE_MAX_FILE_BYTES).",
                code=ErrorCode.TOO_LARGE,
            )


def _media_type(answer: httpx.Response) -> str:
    content_type: str = answer.headers.get("content-type", "")
    return content_type.partition(";")[0].strip().lower()


def _begins_page(content: bytes) -> bool:
    """Check for HTML, which no export of a document begins with."""
    return content[:1000].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _write(target: BinaryIO, digest: hashlib._Hash, chunk: bytes) -> None:
    target.write(chunk)
    digest.update(chunk)


def _failed_operation(name: str, error: object) -> ExportFailed:
    found = error if isinstance(error, dict) else {}
    code, message = found.get("code"), str(found.get("message") or "no message")[:300].rstrip(".")
    return ExportFailed(
        f"Google Drive could not export {name}: {message} (files.download, code {code}).",
        retryable=code not in _FINAL_STATUSES,
    )


def _vanished(job: Job) -> RagliveError:
    return RagliveError(
        f"{job.name} is no longer in Google Drive.", code=ErrorCode.FILE_VANISHED, retryable=True
    )
