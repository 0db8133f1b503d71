"""Checks of Google Drive: address, clock, credentials, scope, quota, folders, and transfers."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path

import httpx

from raglive.app.doctor.checks import Check, Finding, failed, passed, run_checks, warned
from raglive.app.sources import open_google_drive
from raglive.extraction.errors import Skipped
from raglive.settings import Settings
from raglive.sources.google_drive.client import DriveClient
from raglive.sources.google_drive.credentials import SCOPE
from raglive.sources.google_drive.download import save_content
from raglive.sources.google_drive.drive_file import DriveFile, export_plan
from raglive.sources.google_drive.errors import DriveNotFound, DriveUnavailable
from raglive.sources.google_drive.transport import RetryPolicy
from raglive.sources.google_drive.watched_folders import folder_id_of, resource_keys_of
from raglive_contract.backoff import Backoff
from raglive_contract.errors import RagliveError

__all__ = ["examine_google_drive"]

QUICK = RetryPolicy(attempts=2, backoff=Backoff(first_seconds=0.5, longest_seconds=1.0))
FOLDERS_SEARCHED = 20  # for a file to download and a document to export
MAX_BYTES = 8 * 2**20
MAX_CLOCK_ERROR_SECONDS = 60
_SUFFICIENT = {SCOPE, "https://www.googleapis.com/auth/drive"}
_FOLDERS = "folders"
_QUOTA_HEADERS = ("quota", "ratelimit", "rate-limit")


async def examine_google_drive(settings: Settings) -> list[Finding]:
    """Check the Drive API with the configured credentials, and each watched folder."""
    checks: dict[str, Check] = {
        "Drive API": partial(_check_clock, settings),
        "credentials": partial(_check_credentials, settings),
    }
    for folder in settings.watch_folder_ids:
        checks[f"folder {folder.partition('?')[0]}"] = partial(_check_folder, settings, folder)
    if not settings.watch_folder_ids:
        checks[_FOLDERS] = _no_folder
    return await run_checks(checks)


async def _no_folder() -> AsyncIterator[Finding]:
    yield failed(_FOLDERS, "There is none to watch. Set RAG_WATCH_FOLDER_ID.")


async def _check_clock(settings: Settings) -> AsyncIterator[Finding]:
    """Compare the clock with the date of an answer, which needs no credentials."""
    subject = "Drive API"
    url = f"{settings.google_api_url.rstrip('/')}/drive/v3/about"
    try:
        async with httpx.AsyncClient(timeout=10) as http:
            answer = await http.get(url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        yield failed(
            subject,
            f"{settings.google_api_url} does not answer ({type(error).__name__}). Allow this "
            "machine to reach it, or correct RAGLIVE_GOOGLE_API_URL.",
        )
        return
    yield passed(subject, f"{settings.google_api_url} answers.")
    try:
        at = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        yield warned(subject, "The answer has no date, so the clock is not checked.")
        return
    wrong = abs((datetime.now(UTC) - at).total_seconds())
    if wrong > MAX_CLOCK_ERROR_SECONDS:
        yield failed(
            subject,
            f"This machine's clock is wrong by {wrong:.0f} s, and Google refuses it. Set it.",
        )
    else:
        yield passed(subject, "This machine's clock is right.")


async def _check_credentials(settings: Settings) -> AsyncIterator[Finding]:
    subject = "credentials"
    async with open_google_drive(settings, QUICK) as client:
        transport = client.transport
        await transport.tokens.token()
        yield passed(subject, "Google issues an access token for them.")
        scopes = transport.tokens.scopes
        if scopes and not scopes & _SUFFICIENT:
            yield failed(
                subject,
                f"The consent lacks the scope {SCOPE}. Add it under Data access, and run `raglive "
                "login google` again.",
            )
            return
        about = {"fields": "user(emailAddress)"}
        async with transport.stream("GET", transport.address("about"), "get", about) as answer:
            user = (await _json(answer)).get("user") or {}
            quota = _quota_headers(answer.headers)
    yield passed(subject, f"The account is {user.get('emailAddress', 'without an address')}.")
    used = f"raglive uses at most {settings.google_quota_per_minute:,} quota units a minute."
    yield passed("quota", f"{used} {quota}")


def _quota_headers(headers: httpx.Headers) -> str:
    found = [
        f"{name}: {value[:80]}"
        for name, value in headers.items()
        if any(part in name for part in _QUOTA_HEADERS)
    ]
    return f"Google says {', '.join(found)}." if found else "Google's answers state no quota."


async def _json(answer: httpx.Response) -> dict[str, dict[str, str]]:
    await answer.aread()
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise DriveUnavailable("Google Drive, about: the response is not a JSON object.")
    return found


async def _check_folder(settings: Settings, given: str) -> AsyncIterator[Finding]:
    """Check that a folder can be read and listed, and transfer two of its files."""
    folder_id = folder_id_of(given)
    subject = f"folder {folder_id}"
    async with open_google_drive(settings, QUICK) as drive:
        client = drive.with_resource_keys(resource_keys_of([given]))
        try:
            folder = await client.file(folder_id)
        except DriveNotFound:
            yield failed(
                subject,
                "It does not exist for this account. Share it with the account, or correct "
                "RAG_WATCH_FOLDER_ID.",
            )
            return
        if not folder.is_folder or folder.trashed:
            what = "in the trash" if folder.trashed else "not a folder"
            yield failed(subject, f"{folder.name} is {what}. Correct RAG_WATCH_FOLDER_ID.")
            return
        is_member = folder.drive_id is not None and await client.is_member(folder.drive_id)
        yield _change_log(subject, folder, is_member=is_member)
        samples = await _find_samples(client, folder, folder.drive_id if is_member else None)
        yield passed(subject, "It can be listed.")
        for what, sample in samples.items():
            yield await _transfer(client, subject, what, sample)


def _change_log(subject: str, folder: DriveFile, *, is_member: bool) -> Finding:
    if folder.drive_id is not None and not is_member:
        return warned(
            subject,
            f"{folder.name} can be read, but the account is not a member of its shared drive: some "
            "changes are only found by full listings. Add it as a member.",
        )
    log = "the shared drive's" if is_member else "the account's"
    return passed(subject, f"{folder.name} can be read. Its changes are in {log} change log.")


async def _find_samples(
    client: DriveClient, folder: DriveFile, drive_id: str | None
) -> dict[str, DriveFile | None]:
    """Return a small file and a Google document from the first folders, None if there is none."""
    found: dict[str, DriveFile | None] = {"download": None, "export": None}
    waiting = [folder]
    for _ in range(FOLDERS_SEARCHED):
        if not waiting or all(found.values()):
            break
        parent = waiting.pop(0)
        page = await _with_key(client, parent).children([parent.id], drive_id, None)
        waiting += [file for file in page.files if file.is_folder]
        for file in page.files:
            if export_plan(file.mime_type):
                found["export"] = found["export"] or file
            elif not file.is_native and file.can_download and (file.size or 0) <= MAX_BYTES:
                found["download"] = found["download"] or file
    return found


async def _transfer(
    client: DriveClient, subject: str, what: str, file: DriveFile | None
) -> Finding:
    if file is None:
        kind = "small file" if what == "download" else "Google document"
        return warned(subject, f"The first folders have no {kind}, so no {what} is tried.")
    with tempfile.TemporaryDirectory(prefix="raglive-") as folder:
        path = Path(folder) / "content"
        try:
            await save_content(_with_key(client, file), file, path, MAX_BYTES)
        except Skipped as error:
            return warned(subject, error.message)
        except RagliveError as error:
            return failed(subject, f"The {what} of {file.name} fails. {error.message}")
        size = path.stat().st_size
    return passed(subject, f"The {what} of {file.name} works: {size:,} bytes.")


def _with_key(client: DriveClient, file: DriveFile) -> DriveClient:
    keys = {file.id: file.resource_key} if file.resource_key else {}
    return client.with_resource_keys({**client.transport.resource_keys, **keys})
