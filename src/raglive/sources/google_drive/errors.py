"""What Google Drive refuses, in the words of the pipeline."""

from __future__ import annotations

from raglive_contract.errors import RagliveError

__all__ = [
    "AuthRequired",
    "CredentialsInvalid",
    "CursorLost",
    "DriveForbidden",
    "DriveNotFound",
    "DriveRateLimited",
    "DriveUnavailable",
    "FolderUnavailable",
    "ListingIncomplete",
    "TransferFailed",
]


class CredentialsInvalid(RagliveError):
    """The credentials cannot be read: no request can be made with them."""

    code = "auth_required"


class AuthRequired(RagliveError):
    """Google does not take the credentials, or no longer."""

    code = "auth_required"
    retryable = True


class DriveUnavailable(RagliveError):
    """Google Drive does not answer, or fails; it may not later."""

    code = "drive_unavailable"
    retryable = True


class DriveRateLimited(RagliveError):
    """The quota is used up for now."""

    code = "drive_rate_limited"
    retryable = True


class DriveNotFound(RagliveError):
    """There is no such thing for this account."""

    code = "drive_not_found"


class DriveForbidden(RagliveError):
    """Google Drive refuses; `reason` is its own word for why."""

    code = "drive_forbidden"

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class CursorLost(RagliveError):
    """The change log no longer takes the cursor."""

    code = "drive_cursor_lost"
    retryable = True


class ListingIncomplete(RagliveError):
    """Google Drive said itself that it did not list everything."""

    code = "drive_listing_incomplete"
    retryable = True


class FolderUnavailable(RagliveError):
    """A watched folder is not there, or not for this account."""

    code = "watch_location_unavailable"
    retryable = True


class TransferFailed(RagliveError):
    """A download ended early, or its bytes are not those that were meant."""

    code = "transfer_failed"
    retryable = True
