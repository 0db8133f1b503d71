"""One root for every error, and the object that says it on the wire."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from raglive_contract.model import Maybe, WireModel

__all__ = ["ErrorBody", "ErrorCode", "ErrorResponse", "RagliveError"]


class ErrorCode(StrEnum):
    """Codes of refusals over HTTP and Socket.IO."""

    INVALID_REQUEST = "invalid_request"
    INVALID_EVENT = "invalid_event"
    UNAUTHENTICATED = "unauthenticated"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a code, not a secret
    TOKEN_REVOKED = "token_revoked"  # noqa: S105 - a code, not a secret
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
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


class RagliveError(Exception):
    """Root of every error that raglive raises on purpose.

    The message says what was wrong, where, and what to do; it may be shown to anyone.
    """

    code: str = ErrorCode.INTERNAL
    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
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
