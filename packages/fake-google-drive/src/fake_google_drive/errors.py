"""Refusals, in the form in which Google's Drive API says them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

__all__ = ["DriveError"]

_CREDENTIALS = (
    "Expected OAuth 2 access token, login cookie or other valid authentication credential. See "
    "https://developers.google.com/identity/sign-in/web/devconsole-project."
)


class DriveError(Exception):
    """A request that is refused: status, reason, and what is wrong with which parameter."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        domain: str = "global",
        location: str | None = None,
        location_type: str = "parameter",
        rpc_status: str | None = None,
        detail: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.domain = domain
        self.location = location
        self.location_type = location_type
        self.rpc_status = rpc_status
        self.detail = detail
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Return the answer's JSON."""
        first = {
            "message": self.detail or self.message,
            "domain": self.domain,
            "reason": self.reason,
        }
        if self.location is not None:
            first |= {"location": self.location, "locationType": self.location_type}
        error = {"code": self.status, "message": self.message, "errors": [first]}
        if self.rpc_status is not None:
            error["status"] = self.rpc_status
        return {"error": error}

    @classmethod
    def invalid(cls, location: str) -> Self:
        """Refuse a parameter's value."""
        return cls(400, "invalid", "Invalid Value", location=location)

    @classmethod
    def required(cls, location: str) -> Self:
        """Ask for a parameter that is missing."""
        message = f"Required parameter: {location}"
        return cls(400, "required", message, location=location)

    @classmethod
    def bad_request(cls, message: str, location: str | None = None) -> Self:
        """Refuse parameters that do not go together."""
        return cls(400, "badRequest", message, location=location)

    @classmethod
    def file_not_found(cls, file_id: str) -> Self:
        """Say that there is no such file, for this user."""
        return cls(404, "notFound", f"File not found: {file_id}.", location="fileId")

    @classmethod
    def drive_not_found(cls, drive_id: str) -> Self:
        """Say that there is no such shared drive, for this user."""
        return cls(404, "notFound", f"Shared drive not found: {drive_id}", location="driveId")

    @classmethod
    def unauthenticated(cls) -> Self:
        """Refuse an access token that is wrong, expired or revoked."""
        return cls(
            401,
            "authError",
            f"Request had invalid authentication credentials. {_CREDENTIALS}",
            location="Authorization",
            location_type="header",
            rpc_status="UNAUTHENTICATED",
            detail="Invalid Credentials",
        )

    @classmethod
    def login_required(cls) -> Self:
        """Ask for an access token."""
        return cls(
            401,
            "required",
            f"Request is missing required authentication credential. {_CREDENTIALS}",
            location="Authorization",
            location_type="header",
            rpc_status="UNAUTHENTICATED",
            detail="Login Required.",
        )

    @classmethod
    def insufficient_scope(cls) -> Self:
        """Refuse a token whose scopes do not reach."""
        return cls(
            403,
            "insufficientPermissions",
            "Request had insufficient authentication scopes.",
            rpc_status="PERMISSION_DENIED",
            detail="Insufficient Permission",
        )

    @classmethod
    def user_rate_limit(cls) -> Self:
        """Refuse a user who asks too much."""
        message = "User Rate Limit Exceeded"
        return cls(403, "userRateLimitExceeded", message, domain="usageLimits")

    @classmethod
    def rate_limit(cls, status: int = 403, headers: Mapping[str, str] | None = None) -> Self:
        """Refuse a project that asks too much."""
        message = "Rate Limit Exceeded"
        return cls(status, "rateLimitExceeded", message, domain="usageLimits", headers=headers)

    @classmethod
    def internal(cls) -> Self:
        """Fail without a reason."""
        return cls(500, "internalError", "Internal Error")

    @classmethod
    def unavailable(cls, headers: Mapping[str, str] | None = None) -> Self:
        """Be overloaded."""
        message = "Transient failure"
        return cls(503, "backendError", message, headers=headers)
