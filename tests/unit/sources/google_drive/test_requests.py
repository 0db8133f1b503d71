"""Error responses, retries, quota, credentials and export formats."""

from __future__ import annotations

import asyncio
import json
import time

import httpx
import pytest

from raglive.sources.google_drive.credentials import (
    TokenSource,
    is_oauth_client,
    read_credentials,
)
from raglive.sources.google_drive.drive_file import DriveFile, export_plan
from raglive.sources.google_drive.errors import AuthRequired, CredentialsInvalid
from raglive.sources.google_drive.quota import QuotaBucket
from raglive.sources.google_drive.refusals import REFUSALS, error_of_response
from raglive.sources.google_drive.watched_folders import folder_id_of, resource_keys_of
from raglive_contract.backoff import Backoff
from raglive_contract.error_advice import OUTAGES, WHAT_TO_DO
from raglive_contract.errors import RagliveError


def _body(reason: str, location: str = "") -> bytes:
    error = {"reason": reason, "message": "No", "location": location}
    return json.dumps({"error": {"message": "No", "errors": [error]}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "code", "retryable"),
    [
        (429, b"", "drive_rate_limited", True),
        (500, b"<html>", "drive_unavailable", True),
        (503, b"[]", "drive_unavailable", True),
        (403, b"<html>Sorry...</html>", "drive_unavailable", True),
        (404, b"<html>", "drive_unavailable", True),
        (400, b'{"error": "text"}', "drive_unavailable", True),
        (400, _body("invalid", "pageToken"), "drive_cursor_lost", True),
        (404, _body("notFound", "pageToken"), "drive_cursor_lost", True),
        (403, _body("pageTokenExpired"), "drive_cursor_lost", True),
        (410, b"", "drive_cursor_lost", True),
        (401, _body("required"), "auth_required", True),
        (403, _body("rateLimitExceeded"), "drive_rate_limited", True),
        (403, _body("userRateLimitExceeded"), "drive_rate_limited", True),
        (403, _body("sharingRateLimitExceeded"), "drive_rate_limited", True),
        (403, _body("dailyLimitExceeded"), "drive_rate_limited", True),
        (403, _body("downloadQuotaExceeded"), "download_quota_exceeded", True),
        (401, _body("authError"), "auth_required", True),
        (403, _body("accessNotConfigured"), "auth_required", True),
        (403, _body("insufficientPermissions"), "auth_required", True),
        (403, _body("appNotAuthorizedToFile"), "auth_required", True),
        (403, _body("domainPolicy"), "drive_disabled", True),
        (403, _body("insufficientFilePermissions"), "drive_forbidden", False),
        (403, _body("teamDriveMembershipRequired"), "drive_forbidden", False),
        (403, _body("cannotDownloadFile"), "no_download_right", False),
        (403, _body("cannotExportFile"), "no_download_right", False),
        (403, _body("cannotDownloadAbusiveFile"), "flagged_abusive", False),
        (403, _body("exportSizeLimitExceeded"), "export_too_large", False),
        (403, _body("fileNotDownloadable"), "unsupported", False),
        (404, _body("notFound", "fileId"), "drive_not_found", False),
        (400, _body("badRequest"), "drive_refused", False),
        (403, _body("storageQuotaExceeded"), "drive_refused", False),
        (403, _body("teamDriveFileLimitExceeded"), "drive_refused", False),
        (403, _body("numChildrenInNonRootLimitExceeded"), "drive_refused", False),
        (403, _body("someNewReason"), "drive_refused", True),
    ],
)
def test_each_refusal_has_its_error(status: int, body: bytes, code: str, retryable: bool) -> None:
    error = error_of_response(status, {}, body, "changes")
    assert (error.code, error.retryable) == (code, retryable)


@pytest.mark.parametrize("reason", REFUSALS)
def test_each_row_of_the_table_holds(reason: str) -> None:
    """A file waits exactly as long as its error is retried, and the message names the reason."""
    refusal = REFUSALS[reason]
    error = error_of_response(403, {}, _body(reason), "files/1")
    assert (error.code, error.retryable) == (refusal.code, refusal.retryable)
    assert reason in error.message
    assert error.message.endswith(refusal.advice)
    assert (refusal.state == "waiting") == (refusal.code in OUTAGES)
    assert getattr(error, "skips_file", False) == (refusal.state == "skipped")
    assert refusal.code in WHAT_TO_DO


@pytest.mark.parametrize("asked", ["2", "Wed, 01 Jan 2200 00:00:00 GMT"])
def test_no_request_is_repeated_before_google_allows_it(asked: str) -> None:
    error = error_of_response(429, {"retry-after": asked}, b"", "changes")
    assert error.retry_after_ms is not None
    backoff = Backoff(first_seconds=1, longest_seconds=3)
    assert 2 <= backoff.seconds(0, error.retry_after_ms / 1000) <= 3
    assert error_of_response(429, {"retry-after": "soon"}, b"", "changes").retry_after_ms is None


def test_pauses_grow_up_to_a_limit() -> None:
    backoff = Backoff(first_seconds=1, longest_seconds=8)
    for attempt, ceiling in enumerate((1, 2, 4, 8, 8)):
        assert ceiling / 2 <= backoff.seconds(attempt) <= ceiling


async def test_the_bucket_holds_back_what_is_too_much() -> None:
    bucket = QuotaBucket(units_per_minute=60_000)  # 1,000 a second, 5,000 at once
    started = time.monotonic()
    await asyncio.gather(*(bucket.take(100) for _ in range(60)))
    assert time.monotonic() - started >= 0.9


@pytest.mark.parametrize(
    "given",
    [
        "{",
        "[]",
        '{"type": "service_account"}',
        '{"type": "secret-type"}',
        '{"installed": {"client_secret": "hush"}}',
        "/no/such/hush.json",
        '{"type": "service_account", "client_email": "a@b", "private_key": "hush"}',
    ],
)
def test_unusable_credentials_are_refused_without_being_repeated(given: str) -> None:
    with pytest.raises(CredentialsInvalid) as refused:
        read_credentials(given).form()
    assert "hush" not in refused.value.message
    assert refused.value.code == "auth_required"


def test_an_oauth_client_is_no_credential_yet() -> None:
    assert is_oauth_client('{"installed": {"client_id": "x"}}')
    assert not is_oauth_client('{"type": "authorized_user"}')


def test_content_has_changed_when_its_checksum_or_the_right_to_it_has() -> None:
    blob = {"id": "1", "name": "a", "mimeType": "text/plain", "md5Checksum": "x", "version": "7"}
    key = DriveFile.of(blob).content_key
    assert DriveFile.of(blob | {"version": "8", "modifiedTime": "later"}).content_key == key
    assert DriveFile.of(blob | {"md5Checksum": "y"}).content_key != key
    assert DriveFile.of(blob | {"capabilities": {"canDownload": False}}).content_key != key


def test_documents_are_exported_to_the_richest_format() -> None:
    suffixes = {
        kind: [suffix for _, suffix in export_plan(f"application/vnd.google-apps.{kind}")]
        for kind in ("document", "spreadsheet", "presentation", "drawing", "form", "site")
    }
    assert suffixes == {
        "document": ["md", "docx"],
        "spreadsheet": ["xlsx"],
        "presentation": ["pptx"],
        "drawing": ["pdf"],
        "form": [],
        "site": [],
    }


@pytest.mark.parametrize(
    "given",
    [
        "1aB-c_9",
        " 1aB-c_9 ",
        "https://drive.google.com/drive/folders/1aB-c_9?usp=sharing",
        "https://drive.google.com/drive/u/0/folders/1aB-c_9",
        "https://drive.google.com/open?id=1aB-c_9",
        "drive.google.com/drive/folders/1aB-c_9/",
        "http://Drive.Google.com/drive/folders/1aB-c_9?resourcekey=0-x_Y-z&usp=sharing",
        "1aB-c_9?resourcekey=0-x_Y-z",
    ],
)
def test_a_folder_may_be_named_by_its_address(given: str) -> None:
    assert folder_id_of(given) == "1aB-c_9"
    keys = {"1aB-c_9": "0-x_Y-z"} if "resourcekey" in given else {}
    assert resource_keys_of([given]) == keys


@pytest.mark.parametrize("given", ["My folder", "folders/1aB", "https://drive.google.com/drive/"])
def test_other_addresses_are_refused(given: str) -> None:
    with pytest.raises(RagliveError, match=given) as refused:
        folder_id_of(given)
    assert refused.value.code == "settings_invalid"


@pytest.mark.parametrize(
    ("description", "advice"),
    [
        ("Invalid email or User ID", "GOOGLE_DRIVE_IMPERSONATE_USER"),
        ("Invalid JWT: Token must be short-lived and in a reasonable timeframe.", "clock"),
        ("Invalid JWT Signature.", "new key"),
        ("Token has been expired or revoked.", "raglive login google"),
    ],
)
async def test_the_advice_for_refused_credentials_is_that_of_the_refusal(
    description: str, advice: str
) -> None:
    answer = {"error": "invalid_grant", "error_description": description}
    endpoint = httpx.MockTransport(lambda _: httpx.Response(400, json=answer))
    user = '{"type": "authorized_user", "client_id": "a", "client_secret": "b", '
    credentials = read_credentials(user + '"refresh_token": "c"}')
    async with httpx.AsyncClient(transport=endpoint) as http:
        with pytest.raises(AuthRequired, match=advice):
            await TokenSource(credentials, http).token()
