"""The reasons for which Google Drive refuses requests, and the error that each one becomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import orjson

from raglive.sources.google_drive.errors import (
    AuthRequired,
    CursorLost,
    DownloadQuotaExceeded,
    DriveDisabled,
    DriveNotFound,
    DriveRateLimited,
    DriveRefused,
    DriveUnavailable,
)
from raglive_contract.backoff import retry_after_seconds
from raglive_contract.error_advice import WHAT_TO_DO
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["REFUSALS", "Refusal", "error_of_response"]

State = Literal["waiting", "failed", "skipped"]
HOUR = 3600.0


class Refusal(NamedTuple):
    """What a reason means: the code to report, and what becomes of the file that was requested.

    A `waiting` file is requested until it is served. Requests are repeated after `wait_seconds` if
    that is given, otherwise after growing pauses, unless the file failed or was skipped.
    """

    code: ErrorCode
    state: State
    advice: str
    wait_seconds: float | None = None
    is_retried: bool = False

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.is_retried or self.state == "waiting"


_RATE = Refusal(
    ErrorCode.DRIVE_RATE_LIMITED,
    "waiting",
    "raglive waits and continues. If it lasts, see the quotas of the Google project: requests per "
    "minute (lower RAGLIVE_GOOGLE_QUOTA_PER_MINUTE, or raise the quota), or bytes per day.",
)
_DAY = Refusal(
    ErrorCode.DRIVE_RATE_LIMITED,
    "waiting",
    "raglive asks again every hour. Raise the daily quota of the Google project.",
    HOUR,
)
_UNAVAILABLE = Refusal(ErrorCode.DRIVE_UNAVAILABLE, "waiting", "raglive tries again.")
_NO_RIGHT = Refusal(
    ErrorCode.DRIVE_FORBIDDEN,
    "failed",
    "Give the pipeline's Google account the right to read it. raglive then asks again by itself.",
)
_NO_DOWNLOAD = Refusal(
    ErrorCode.NO_DOWNLOAD_RIGHT, "skipped", "Ask its owner to allow viewers to download it."
)
_UNSUPPORTED = Refusal(ErrorCode.UNSUPPORTED, "skipped", WHAT_TO_DO[ErrorCode.UNSUPPORTED])
_SCOPE = Refusal(
    ErrorCode.AUTH_REQUIRED,
    "waiting",
    "The consent lacks the scope drive.readonly: add it under Data access, and run "
    "`raglive login google` again.",
)
_REQUEST = Refusal(
    ErrorCode.DRIVE_REFUSED, "failed", "Report it, with the reason, to the authors of raglive."
)
_WRITING = Refusal(
    ErrorCode.DRIVE_REFUSED,
    "failed",
    "The reason is a limit or a rule for those who write to Drive, which raglive never does. "
    "Retry; if it fails again, report it with the reason.",
)
_UNKNOWN = Refusal(
    ErrorCode.DRIVE_REFUSED,
    "failed",
    "raglive does not know this reason, and tries again. If it lasts, search for the reason in "
    "Google's documentation.",
    is_retried=True,
)

REFUSALS: dict[str, Refusal] = {
    # rates and quotas
    "rateLimitExceeded": _RATE,
    "userRateLimitExceeded": _RATE,
    "sharingRateLimitExceeded": _RATE,
    "quotaExceeded": _RATE,
    "dailyLimitExceeded": _DAY,
    "dailyLimitExceededUnreg": _DAY,
    "downloadQuotaExceeded": Refusal(
        ErrorCode.DOWNLOAD_QUOTA_EXCEEDED,
        "waiting",
        "The file was downloaded too often: Google serves it again within a day, and raglive asks "
        "every hour.",
        HOUR,
    ),
    "backendError": _UNAVAILABLE,
    "internalError": _UNAVAILABLE,
    # credentials and administrators
    "authError": Refusal(
        ErrorCode.AUTH_REQUIRED, "waiting", "Create a new key, or run `raglive login google`."
    ),
    "accessNotConfigured": Refusal(
        ErrorCode.AUTH_REQUIRED,
        "waiting",
        "Enable the Google Drive API in the project, and wait a few minutes.",
    ),
    "insufficientPermissions": _SCOPE,
    "appNotAuthorizedToFile": _SCOPE,
    "domainPolicy": Refusal(
        ErrorCode.DRIVE_DISABLED, "waiting", WHAT_TO_DO[ErrorCode.DRIVE_DISABLED]
    ),
    # rights
    "insufficientFilePermissions": _NO_RIGHT,
    "insufficientParentPermissions": _NO_RIGHT,
    "forbidden": _NO_RIGHT,
    "teamDriveMembershipRequired": _NO_RIGHT._replace(
        advice="Make the pipeline's Google account a member of the shared drive. raglive then asks "
        "again by itself."
    ),
    "cannotDownloadFile": _NO_DOWNLOAD,
    "cannotDownload": _NO_DOWNLOAD,
    "downloadNotAllowed": _NO_DOWNLOAD,
    "cannotExportFile": _NO_DOWNLOAD,
    "cannotDownloadAbusiveFile": Refusal(
        ErrorCode.FLAGGED_ABUSIVE, "skipped", WHAT_TO_DO[ErrorCode.FLAGGED_ABUSIVE]
    ),
    # formats and sizes
    "exportSizeLimitExceeded": Refusal(
        ErrorCode.EXPORT_TOO_LARGE, "failed", WHAT_TO_DO[ErrorCode.EXPORT_TOO_LARGE]
    ),
    "fileNotDownloadable": _UNSUPPORTED,
    "fileNotExportable": _UNSUPPORTED,
    # requests
    "notFound": Refusal(ErrorCode.DRIVE_NOT_FOUND, "failed", WHAT_TO_DO[ErrorCode.DRIVE_NOT_FOUND]),
    **dict.fromkeys(("badRequest", "invalid", "invalidParameter", "required"), _REQUEST),
    # writing and sharing
    **dict.fromkeys(
        (
            "activeItemCreationLimitExceeded",
            "cannotModifyInheritedTeamDrivePermission",
            "fileOwnerNotMemberOfTeamDrive",
            "fileOwnerNotMemberOfWriterDomain",
            "fileWriterTeamDriveMoveInDisabled",
            "invalidSharingRequest",
            "myDriveHierarchyDepthLimitExceeded",
            "numChildrenInNonRootLimitExceeded",
            "publishOutNotPermitted",
            "shareInNotPermitted",
            "shareOutNotPermitted",
            "shareOutNotPermittedToUser",
            "storageQuotaExceeded",
            "teamDriveDomainUsersOnlyRestriction",
            "teamDriveFileLimitExceeded",
            "teamDriveHierarchyTooDeep",
            "teamDriveTeamMembersOnlyRestriction",
            "teamDrivesFolderMoveInNotSupported",
        ),
        _WRITING,
    ),
}
"""What each reason of Google's guide "Resolve errors" means, and of others that Drive reports."""

_BY_STATUS = {401: REFUSALS["authError"], 408: _UNAVAILABLE, 429: _RATE}
_RETRYABLE: dict[ErrorCode, type[RagliveError]] = {
    ErrorCode.AUTH_REQUIRED: AuthRequired,
    ErrorCode.DOWNLOAD_QUOTA_EXCEEDED: DownloadQuotaExceeded,
    ErrorCode.DRIVE_DISABLED: DriveDisabled,
    ErrorCode.DRIVE_RATE_LIMITED: DriveRateLimited,
    ErrorCode.DRIVE_UNAVAILABLE: DriveUnavailable,
}


def error_of_response(
    status: int, headers: Mapping[str, str], body: bytes, what: str
) -> RagliveError:
    """Return the error to raise for a response other than success, whatever its body contains.

    `what` names the request in the message.
    """
    error = _error(body)
    errors = error.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    first = first if isinstance(first, dict) else {}
    reason = str(first.get("reason") or error.get("status") or "unknown")[:100]
    message = str(error.get("message") or "no message")[:300].rstrip(".")
    said = f"Google Drive, {what}: {message} ({status} {reason})."
    if _rejects_cursor(status, reason, str(first.get("location", ""))):
        return CursorLost(said)
    if not error and status < 500 and status not in _BY_STATUS:
        return _page_instead_of_error(status, what)
    refusal = _refusal(status, reason)
    said = f"{said} {refusal.advice}"
    if refusal.code == ErrorCode.DRIVE_NOT_FOUND:
        return DriveNotFound(said)
    if refusal.code in _RETRYABLE:
        wait = retry_after_seconds(headers.get("retry-after")) or refusal.wait_seconds
        after = None if wait is None else int(wait * 1000)
        return _RETRYABLE[refusal.code](said, retry_after_ms=after)
    return DriveRefused(
        said,
        code=refusal.code,
        reason=reason,
        retryable=refusal.retryable,
        skips_file=refusal.state == "skipped",
    )


def _refusal(status: int, reason: str) -> Refusal:
    if status >= 500:
        return _UNAVAILABLE
    if status == 401:  # whose reason is the same as that of a missing parameter
        return _BY_STATUS[401]
    return REFUSALS.get(reason) or _BY_STATUS.get(status, _UNKNOWN)


def _page_instead_of_error(status: int, what: str) -> RagliveError:
    """Return a transient error: only a JSON body is an answer of the Drive API."""
    return DriveUnavailable(
        f"Google Drive, {what}: a page instead of an answer ({status}). Google takes the requests "
        "of this network for automated queries, or a proxy answers in its place. raglive tries "
        "again."
    )


def _rejects_cursor(status: int, reason: str, location: str) -> bool:
    if reason == "pageTokenExpired" or status == 410:
        return True
    return status in {400, 404} and location == "pageToken"


def _error(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    error = found.get("error") if isinstance(found, dict) else None
    return error if isinstance(error, dict) else {}
