"""The errors of Google Drive, and how error responses are mapped to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from raglive_contract.backoff import retry_after_seconds
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = [
    "AuthRequired",
    "CredentialsInvalid",
    "CursorLost",
    "DriveErrorResponse",
    "DriveForbidden",
    "DriveNotFound",
    "DriveRateLimited",
    "DriveUnavailable",
    "ListingIncomplete",
    "TransferFailed",
    "read_error_response",
]

_RATE_LIMITS = frozenset(
    {
        "rateLimitExceeded",
        "userRateLimitExceeded",
        "dailyLimitExceeded",
        "sharingRateLimitExceeded",
        "quotaExceeded",
    }
)
_NO_ACCESS = frozenset({"insufficientPermissions", "accessNotConfigured", "appNotAuthorizedToFile"})
_TOKEN_EXPIRED = "pageTokenExpired"  # noqa: S105 - a reason, not a secret


class CredentialsInvalid(RagliveError):
    """The credentials are malformed, so no request can be sent."""

    code = ErrorCode.AUTH_REQUIRED


class AuthRequired(RagliveError):
    """Google rejects the credentials."""

    code = ErrorCode.AUTH_REQUIRED
    retryable = True


class DriveUnavailable(RagliveError):
    """Google Drive does not answer, or answers with a server error."""

    code = ErrorCode.DRIVE_UNAVAILABLE
    retryable = True


class DriveRateLimited(RagliveError):
    """The quota is exceeded."""

    code = ErrorCode.DRIVE_RATE_LIMITED
    retryable = True


class DriveNotFound(RagliveError):
    """The item does not exist, or not for this account."""

    code = ErrorCode.DRIVE_NOT_FOUND


class DriveForbidden(RagliveError):
    """Google Drive refuses the request; `reason` is its own code for why."""

    code = ErrorCode.DRIVE_FORBIDDEN

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class CursorLost(RagliveError):
    """The change log no longer accepts the cursor."""

    code = ErrorCode.DRIVE_CURSOR_LOST
    retryable = True


class ListingIncomplete(RagliveError):
    """Google Drive reported that its listing is incomplete."""

    code = ErrorCode.DRIVE_LISTING_INCOMPLETE
    retryable = True


class TransferFailed(RagliveError):
    """A download ended early, or its checksum is wrong."""

    code = ErrorCode.TRANSFER_FAILED
    retryable = True


@dataclass(frozen=True, slots=True)
class DriveErrorResponse:
    """A response other than success. `location` is the parameter that it complains about."""

    status: int
    reason: str
    message: str
    location: str
    retry_after: float | None

    @property
    def is_rate_limit(self) -> bool:
        """Whether the quota is exceeded."""
        return self.status == 429 or (self.status == 403 and self.reason in _RATE_LIMITS)

    @property
    def is_transient(self) -> bool:
        """Whether the same request may succeed later."""
        return self.is_rate_limit or self.status >= 500 or self.status == 408

    def error(self, what: str) -> RagliveError:
        """Return the error to raise; `what` names the request in its message."""
        said = f"Google Drive, {what}: {self.message} ({self.status} {self.reason})."
        after = None if self.retry_after is None else int(self.retry_after * 1000)
        if self.is_rate_limit:
            return DriveRateLimited(said, retry_after_ms=after)
        if self.is_transient:
            return DriveUnavailable(said, retry_after_ms=after)
        if self._rejects_cursor:
            return CursorLost(said)
        if self.status == 401 or self.reason in _NO_ACCESS:
            return AuthRequired(f"{said} See docs/how-to/google-drive.md.")
        if self.status == 404:
            return DriveNotFound(said)
        return DriveForbidden(said, reason=self.reason)

    @property
    def _rejects_cursor(self) -> bool:
        if self.reason == _TOKEN_EXPIRED or self.status == 410:
            return True
        return self.status in {400, 404} and self.location == "pageToken"


def read_error_response(status: int, headers: Mapping[str, str], body: bytes) -> DriveErrorResponse:
    """Parse an error response, whatever its body contains."""
    error = _error(body)
    errors = error.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    first = first if isinstance(first, dict) else {}
    return DriveErrorResponse(
        status,
        str(first.get("reason") or error.get("status") or "unknown")[:100],
        str(error.get("message") or "no message")[:300],
        str(first.get("location", "")),
        retry_after_seconds(headers.get("retry-after")),
    )


def _error(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    error = found.get("error") if isinstance(found, dict) else None
    return error if isinstance(error, dict) else {}
