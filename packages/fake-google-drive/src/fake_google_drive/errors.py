"""Refusals in the form of Google's Drive API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

__all__ = ["DriveError"]

_CREDENTIALS = (
    "Expected OAuth 2 access token, login cookie or other valid authentication credential. See "
    "https://developers.google.com/identity/sign-in/web/devconsole-project."
)


class DriveError(Exception):
    """A refused request, with HTTP status, reason, message and location."""

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
        """Return the JSON body of the response."""
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
        """A parameter has an invalid value (400)."""
        return cls(400, "invalid", "Invalid Value", location=location)

    @classmethod
    def required(cls, location: str) -> Self:
        """A required parameter is missing (400)."""
        message = f"Required parameter: {location}"
        return cls(400, "required", message, location=location)

    @classmethod
    def bad_request(cls, message: str, location: str | None = None) -> Self:
        """The parameters do not fit together (400)."""
        return cls(400, "badRequest", message, location=location)

    @classmethod
    def file_not_found(cls, file_id: str) -> Self:
        """The file does not exist for this user (404)."""
        return cls(404, "notFound", f"File not found: {file_id}.", location="fileId")

    @classmethod
    def drive_not_found(cls, drive_id: str) -> Self:
        """The shared drive does not exist for this user (404)."""
        return cls(404, "notFound", f"Shared drive not found: {drive_id}", location="driveId")

    @classmethod
    def unauthenticated(cls) -> Self:
        """The access token is wrong, expired or revoked (401)."""
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
        """The request has no access token (401 or 403, as in Drive)."""
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
        """The token's scopes do not suffice (403)."""
        return cls(
            403,
            "insufficientPermissions",
            "Request had insufficient authentication scopes.",
            rpc_status="PERMISSION_DENIED",
            detail="Insufficient Permission",
        )

    @classmethod
    def user_rate_limit(cls) -> Self:
        """The user's quota is used up (403)."""
        message = "User Rate Limit Exceeded"
        return cls(403, "userRateLimitExceeded", message, domain="usageLimits")

    @classmethod
    def rate_limit(cls, status: int = 403, headers: Mapping[str, str] | None = None) -> Self:
        """The project's quota is used up (403, or 429)."""
        message = "Rate Limit Exceeded"
        return cls(status, "rateLimitExceeded", message, domain="usageLimits", headers=headers)

    @classmethod
    def internal(cls) -> Self:
        """An internal error of the server (500)."""
        return cls(500, "internalError", "Internal Error")

    @classmethod
    def unavailable(cls, headers: Mapping[str, str] | None = None) -> Self:
        """The server is overloaded (503)."""
        message = "Transient failure"
        return cls(503, "backendError", message, headers=headers)
