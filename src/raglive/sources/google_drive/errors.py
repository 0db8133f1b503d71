"""The errors of Google Drive."""

from __future__ import annotations

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = [
    "AuthRequired",
    "CredentialsInvalid",
    "CursorLost",
    "DownloadQuotaExceeded",
    "DriveDisabled",
    "DriveNotFound",
    "DriveRateLimited",
    "DriveRefused",
    "DriveUnavailable",
    "ExportFailed",
    "ListingIncomplete",
    "TransferFailed",
]


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


class DriveRefused(RagliveError):
    """Google Drive refuses the request; `reason` is Google's own word for why.

    With `skips_file`, the reason is a property of the file, which has no text to be had.
    """

    code = ErrorCode.DRIVE_REFUSED

    def __init__(
        self,
        message: str,
        *,
        code: ErrorCode,
        reason: str,
        retryable: bool = False,
        skips_file: bool = False,
    ) -> None:
        super().__init__(message, code=code, retryable=retryable)
        self.reason = reason
        self.skips_file = skips_file


class DriveDisabled(RagliveError):
    """The administrator of the Google Workspace does not allow programs to use Drive."""

    code = ErrorCode.DRIVE_DISABLED
    retryable = True


class DownloadQuotaExceeded(RagliveError):
    """The file was downloaded so often that Google does not serve it for up to a day."""

    code = ErrorCode.DOWNLOAD_QUOTA_EXCEEDED
    retryable = True


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


class ExportFailed(RagliveError):
    """A long-running export of a large document failed, or did not end in time."""

    code = ErrorCode.EXPORT_FAILED
    retryable = True
