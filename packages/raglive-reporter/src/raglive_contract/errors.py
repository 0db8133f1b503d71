"""Every error code, the base class of errors, and the error object on the wire."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from raglive_contract.model import Maybe, WireModel

__all__ = ["REFUSALS", "ErrorBody", "ErrorCode", "ErrorResponse", "RagliveError", "code_of"]


class ErrorCode(StrEnum):
    """Every error code of raglive. Producers define codes of their own for their files."""

    # answers of the servers
    INVALID_REQUEST = "invalid_request"
    INVALID_EVENT = "invalid_event"
    UNAUTHENTICATED = "unauthenticated"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a code, not a secret
    TOKEN_REVOKED = "token_revoked"  # noqa: S105 - a code, not a secret
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    PIPELINE_MANAGED = "pipeline_managed"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    CURSOR_INVALID = "cursor_invalid"
    CURSOR_EXPIRED = "cursor_expired"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    RATE_LIMITED = "rate_limited"
    LIMIT_REACHED = "limit_reached"
    HOST_NOT_ALLOWED = "host_not_allowed"
    ORIGIN_NOT_ALLOWED = "origin_not_allowed"
    TOO_SLOW = "too_slow"
    IDLE = "idle"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"
    # files that failed
    EXTRACTION_ERROR = "extraction_error"
    EXTRACTION_TIMEOUT = "extraction_timeout"
    EXTRACTION_OUT_OF_MEMORY = "extraction_out_of_memory"
    EXTRACTION_CRASHED = "extraction_crashed"
    EXTRACTOR_UNAVAILABLE = "extractor_unavailable"
    FILE_UNREADABLE = "file_unreadable"
    FILE_CHANGED = "file_changed"
    FILE_VANISHED = "file_vanished"
    WORKER_LOST = "worker_lost"
    LEASE_LOST = "lease_lost"
    DATABASE_UNAVAILABLE = "database_unavailable"
    DATABASE_REFUSED = "database_refused"
    INTERNAL_ERROR = "internal_error"
    # files that were skipped
    UNSUPPORTED = "unsupported"
    ENCRYPTED = "encrypted"
    EMPTY = "empty"
    NO_TEXT = "no_text"
    TOO_LARGE = "too_large"
    NO_DOWNLOAD_RIGHT = "no_download_right"
    FLAGGED_ABUSIVE = "flagged_abusive"
    SHORTCUT_TO_FOLDER = "shortcut_to_folder"
    # embedding
    EMBEDDING_REJECTED = "embedding_rejected"
    EMBEDDING_RATE_LIMITED = "embedding_rate_limited"
    EMBEDDING_UNAVAILABLE = "embedding_unavailable"
    EMBEDDING_TIMEOUT = "embedding_timeout"
    EMBEDDING_INVALID_RESPONSE = "embedding_invalid_response"
    EMBEDDING_TEXT_FAILED = "embedding_text_failed"
    EMBEDDING_INPUT_TOO_LONG = "embedding_input_too_long"
    EMBEDDING_MODEL_CHANGED = "embedding_model_changed"
    EMBEDDING_NOT_CONFIGURED = "embedding_not_configured"
    EMBEDDING_QUOTA_SPENT = "embedding_quota_spent"
    EMBEDDING_BUDGET_SPENT = "embedding_budget_spent"
    EMBEDDING_BUDGET_TOO_SMALL = "embedding_budget_too_small"
    REINDEX_REFUSED = "reindex_refused"
    # Google Drive
    AUTH_REQUIRED = "auth_required"
    DRIVE_UNAVAILABLE = "drive_unavailable"
    DRIVE_RATE_LIMITED = "drive_rate_limited"
    DRIVE_FORBIDDEN = "drive_forbidden"
    DRIVE_DISABLED = "drive_disabled"
    DRIVE_REFUSED = "drive_refused"
    DRIVE_NOT_FOUND = "drive_not_found"
    DRIVE_CURSOR_LOST = "drive_cursor_lost"
    DRIVE_LISTING_INCOMPLETE = "drive_listing_incomplete"
    TRANSFER_FAILED = "transfer_failed"
    DOWNLOAD_QUOTA_EXCEEDED = "download_quota_exceeded"
    EXPORT_TOO_LARGE = "export_too_large"
    EXPORT_FAILED = "export_failed"
    # pipelines and their sources
    WATCH_LOCATION_UNAVAILABLE = "watch_location_unavailable"
    DELETIONS_HELD = "deletions_held"
    FILES_FAILED = "files_failed"
    # commands and processes
    SETTINGS_INVALID = "settings_invalid"
    DATABASE_MISCONFIGURED = "database_misconfigured"
    SCHEMA_MISMATCH = "schema_mismatch"
    PORT_IN_USE = "port_in_use"
    DATA_FOLDER_UNUSABLE = "data_folder_unusable"
    NOT_RUNNING = "not_running"
    SEVERAL_RUNNING = "several_running"
    NO_FOLDER = "no_folder"
    SERVER_ENDED = "server_ended"
    # reporters
    REPORTER_MISUSED = "reporter_misused"
    OUTBOX_FULL = "outbox_full"
    OUTBOX_UNUSABLE = "outbox_unusable"


REFUSALS = frozenset(
    {
        ErrorCode.INVALID_REQUEST,
        ErrorCode.INVALID_EVENT,
        ErrorCode.UNAUTHENTICATED,
        ErrorCode.TOKEN_EXPIRED,
        ErrorCode.TOKEN_REVOKED,
        ErrorCode.FORBIDDEN,
        ErrorCode.NOT_FOUND,
        ErrorCode.CONFLICT,
        ErrorCode.PIPELINE_MANAGED,
        ErrorCode.METHOD_NOT_ALLOWED,
        ErrorCode.CURSOR_INVALID,
        ErrorCode.CURSOR_EXPIRED,
        ErrorCode.PAYLOAD_TOO_LARGE,
        ErrorCode.RATE_LIMITED,
        ErrorCode.LIMIT_REACHED,
        ErrorCode.HOST_NOT_ALLOWED,
        ErrorCode.ORIGIN_NOT_ALLOWED,
        ErrorCode.TOO_SLOW,
        ErrorCode.IDLE,
        ErrorCode.UNAVAILABLE,
        ErrorCode.INTERNAL,
    }
)
"""The codes of refusals over HTTP and Socket.IO."""


def code_of(text: str) -> ErrorCode:
    """Parse a code; one of another version becomes `INTERNAL_ERROR`."""
    try:
        return ErrorCode(text)
    except ValueError:
        return ErrorCode.INTERNAL_ERROR


class RagliveError(Exception):
    """Base class of every error that raglive raises on purpose.

    The message says what was wrong, where, and what to do. It may be shown to anyone.
    """

    code: ErrorCode = ErrorCode.INTERNAL
    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        code: ErrorCode | None = None,
        retryable: bool | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_ms = retry_after_ms
        if code is not None:
            self.code = code
        if retryable is not None:
            self.retryable = retryable

    def body(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the `error` object of the wire format."""
        return ErrorBody(
            code=str(self.code),
            message=self.message,
            retryable=self.retryable,
            retry_after_ms=self.retry_after_ms,
            request_id=request_id,
        ).wire()


class ErrorBody(WireModel):
    """Why a request was refused."""

    code: str
    message: str
    retryable: bool
    retry_after_ms: Maybe[int] = Field(default=None, ge=0)
    request_id: Maybe[str] = None


class ErrorResponse(WireModel):
    """The body of every refusal over HTTP."""

    error: ErrorBody
