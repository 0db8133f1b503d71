"""Faults on demand, by method, user, file and count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from fake_google_drive.errors import DriveError
from fake_google_drive.schema import PARAMETERS

__all__ = ["Fault", "FaultKind", "Faults"]


_DOWNLOADS = {"files.getMedia", "files.exportLink", "files.downloadOperation"}
METHODS = frozenset({"*", "token", *_DOWNLOADS, *PARAMETERS})


class FaultKind(StrEnum):
    """The kinds of faults, described in the README."""

    USER_RATE_LIMIT = "user_rate_limit"
    RATE_LIMIT = "rate_limit"
    TOO_MANY_REQUESTS = "too_many_requests"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    UNAUTHENTICATED = "unauthenticated"
    INVALID_GRANT = "invalid_grant"
    EXPORT_TOO_LARGE = "export_too_large"
    SHARING_RATE_LIMIT = "sharing_rate_limit"
    DAILY_LIMIT = "daily_limit"
    DOWNLOAD_QUOTA = "download_quota"
    DOMAIN_POLICY = "domain_policy"
    CANNOT_DOWNLOAD = "cannot_download"
    CANNOT_EXPORT = "cannot_export"
    ABUSIVE = "abusive"
    NOT_A_MEMBER = "not_a_member"
    SHARED_DRIVE_FULL = "shared_drive_full"
    FOLDER_FULL = "folder_full"
    UNKNOWN_REASON = "unknown_reason"
    AUTOMATED_QUERIES = "automated_queries"
    PAGE_TOKEN_INVALID = "page_token_invalid"  # noqa: S105
    PAGE_TOKEN_NOT_FOUND = "page_token_not_found"  # noqa: S105
    PAGE_TOKEN_EXPIRED = "page_token_expired"  # noqa: S105
    PAGE_TOKEN_GONE = "page_token_gone"  # noqa: S105
    INCOMPLETE_SEARCH = "incomplete_search"
    EMPTY = "empty"
    SEVERAL_PARENTS_EMPTY = "several_parents_empty"
    SEVERAL_PARENTS_PARTIAL = "several_parents_partial"
    OPERATION_FAILED = "operation_failed"
    SIGN_IN_PAGE = "sign_in_page"
    VIRUS_SCAN_PAGE = "virus_scan_page"
    CAPTCHA_PAGE = "captcha_page"
    MISLABELLED_PAGE = "mislabelled_page"
    REDIRECT_ELSEWHERE = "redirect_elsewhere"
    REDIRECT_TO_SIGN_IN = "redirect_to_sign_in"
    TIMEOUT = "timeout"
    CUT = "cut"
    TRUNCATED = "truncated"
    CORRUPTED = "corrupted"


@dataclass(slots=True)
class Fault:
    """A fault of the next `times` requests (`None`: all) of `method`, after `after` others.

    `method` is Drive's name (`files.list`), `files.getMedia` for a download, `files.exportLink`
    for an export by link, `files.downloadOperation` for the bytes of an operation, `token` for
    the token endpoint, `*` for any. `seconds` is `Retry-After`, or the duration of a time-out.
    """

    kind: FaultKind
    method: str = "*"
    times: int | None = 1
    after: int = 0
    file_id: str | None = None
    user: str | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            known = ", ".join(sorted(METHODS))
            raise ValueError(f"unknown method {self.method!r}. Methods: {known}.")

    def error(self) -> DriveError | None:
        """Return the refusal to send, or `None` for faults that are not refusals."""
        headers = {} if self.seconds is None else {"Retry-After": f"{self.seconds:g}"}
        match self.kind:
            case FaultKind.TOO_MANY_REQUESTS:
                return DriveError.rate_limit(429, headers)
            case FaultKind.UNAVAILABLE:
                return DriveError.unavailable(headers)
            case FaultKind.NOT_FOUND:
                return DriveError.file_not_found(self.file_id or ".")
        return _REFUSALS[self.kind]() if self.kind in _REFUSALS else None


def _forbidden(reason: str, message: str, domain: str = "global") -> Callable[[], DriveError]:
    return lambda: DriveError(403, reason, message, domain=domain)


_REFUSALS: dict[FaultKind, Callable[[], DriveError]] = {
    FaultKind.USER_RATE_LIMIT: DriveError.user_rate_limit,
    FaultKind.RATE_LIMIT: DriveError.rate_limit,
    FaultKind.INTERNAL: DriveError.internal,
    FaultKind.UNAUTHENTICATED: DriveError.unauthenticated,
    FaultKind.FORBIDDEN: _forbidden(
        "insufficientFilePermissions",
        "The user does not have sufficient permissions for this file.",
    ),
    FaultKind.EXPORT_TOO_LARGE: _forbidden(
        "exportSizeLimitExceeded", "This file is too large to be exported."
    ),
    FaultKind.SHARING_RATE_LIMIT: _forbidden(
        "sharingRateLimitExceeded", "Rate limit exceeded.", "usageLimits"
    ),
    FaultKind.DAILY_LIMIT: _forbidden("dailyLimitExceeded", "Daily Limit Exceeded", "usageLimits"),
    FaultKind.DOWNLOAD_QUOTA: _forbidden(
        "downloadQuotaExceeded",
        "The download quota for this file has been exceeded.",
        "usageLimits",
    ),
    FaultKind.DOMAIN_POLICY: _forbidden(
        "domainPolicy", "The domain administrators have disabled Drive apps."
    ),
    FaultKind.CANNOT_DOWNLOAD: _forbidden(
        "cannotDownloadFile", "This file cannot be downloaded by the user."
    ),
    FaultKind.CANNOT_EXPORT: _forbidden(
        "cannotExportFile", "This file cannot be exported by the user."
    ),
    FaultKind.ABUSIVE: _forbidden(
        "cannotDownloadAbusiveFile",
        "This file has been identified as malware or spam and cannot be downloaded.",
    ),
    FaultKind.NOT_A_MEMBER: _forbidden(
        "teamDriveMembershipRequired", "The attempted action requires shared drive membership."
    ),
    FaultKind.SHARED_DRIVE_FULL: _forbidden(
        "teamDriveFileLimitExceeded", "The file limit for this shared drive has been exceeded."
    ),
    FaultKind.FOLDER_FULL: _forbidden(
        "numChildrenInNonRootLimitExceeded",
        "The limit for this folder's number of children has been exceeded.",
    ),
    FaultKind.UNKNOWN_REASON: _forbidden("someNewReason", "Something new."),
    FaultKind.PAGE_TOKEN_INVALID: lambda: DriveError.invalid("pageToken"),
    FaultKind.PAGE_TOKEN_NOT_FOUND: lambda: DriveError(
        404, "notFound", "Page token not found.", location="pageToken"
    ),
    FaultKind.PAGE_TOKEN_EXPIRED: lambda: DriveError(
        403,
        "pageTokenExpired",
        "The specified page token has expired, and can no longer be used.",
    ),
    FaultKind.PAGE_TOKEN_GONE: lambda: DriveError(
        410, "gone", "The page token is no longer valid.", location="pageToken"
    ),
}


class Faults:
    """The pending faults; of several that match, the oldest applies."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Add a fault."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Remove all faults."""
        self._waiting.clear()

    def strike(self, method: str, *, user: str = "", file_id: str | None = None) -> Fault | None:
        """Return the fault of a request and count it down, or `None`."""
        for fault in self._waiting:
            if (
                fault.method in {"*", method}
                and fault.user in {None, user}
                and fault.file_id in {None, file_id}
            ):
                if fault.after > 0:
                    fault.after -= 1
                    continue
                return self._spend(fault)
        return None

    def _spend(self, fault: Fault) -> Fault:
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._waiting.remove(fault)
        return fault
