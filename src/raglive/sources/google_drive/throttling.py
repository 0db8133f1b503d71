"""Which refusals of Google Drive pass, how long to wait, and what the others mean."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from raglive.sources.google_drive.errors import (
    AuthRequired,
    CursorLost,
    DriveForbidden,
    DriveNotFound,
    DriveRateLimited,
    DriveUnavailable,
)
from raglive_contract.errors import RagliveError

__all__ = ["COSTS", "QuotaBucket", "Refusal", "RetryPolicy", "refusal_of"]

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
_TOKEN_EXPIRED = "pageTokenExpired"  # noqa: S105 - Google's word


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and how long in seconds."""

    attempts: int = 6
    first_seconds: float = 1.0
    longest_seconds: float = 64.0

    def pause(self, attempt: int, asked_ms: int | None) -> float:
        """Return the seconds before the next attempt: with jitter, never before asked."""
        ceiling = min(self.longest_seconds, self.first_seconds * 2.0**attempt)
        jittered = random.uniform(ceiling / 2, ceiling)  # noqa: S311 - jitter, not a secret
        return max(jittered, min((asked_ms or 0) / 1000, self.longest_seconds))


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an answer other than success says."""

    status: int
    reason: str
    message: str
    location: str
    retry_after: float | None

    @property
    def is_rate_limit(self) -> bool:
        """Say whether it was too much."""
        return self.status == 429 or (self.status == 403 and self.reason in _RATE_LIMITS)

    @property
    def passes(self) -> bool:
        """Say whether the same request may succeed later."""
        return self.is_rate_limit or self.status >= 500 or self.status == 408

    def error(self, what: str) -> RagliveError:
        """Return the error that this is, when no further attempt is made."""
        said = f"Google Drive, {what}: {self.message} ({self.status} {self.reason})."
        after = None if self.retry_after is None else int(self.retry_after * 1000)
        if self.is_rate_limit:
            return DriveRateLimited(said, retry_after_ms=after)
        if self.passes:
            return DriveUnavailable(said, retry_after_ms=after)
        if self._loses_cursor:
            return CursorLost(said)
        if self.status == 401 or self.reason in _NO_ACCESS:
            return AuthRequired(f"{said} See docs/how-to/google-drive.md.")
        if self.status == 404:
            return DriveNotFound(said)
        return DriveForbidden(said, reason=self.reason)

    @property
    def _loses_cursor(self) -> bool:
        if self.reason == _TOKEN_EXPIRED or self.status == 410:
            return True
        return self.status in {400, 404} and self.location == "pageToken"


def refusal_of(status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
    """Read an answer that is no success; anything may stand in its body."""
    error = _error(body)
    errors = error.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    first = first if isinstance(first, dict) else {}
    return Refusal(
        status,
        str(first.get("reason") or error.get("status") or "unknown")[:100],
        str(error.get("message") or "no message")[:300],
        str(first.get("location", "")),
        _retry_after(headers.get("retry-after")),
    )


def _error(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    error = found.get("error") if isinstance(found, dict) else None
    return error if isinstance(error, dict) else {}


def _retry_after(value: str | None) -> float | None:
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


UNITS_PER_MINUTE = 300_000  # of 325,000, so that the same account can do something else too

# Google: Drive API, usage limits.
COSTS = {"get": 5, "list": 100, "download": 200}


class QuotaBucket:
    """Shared by everything that uses one credential."""

    def __init__(self, units_per_minute: float = UNITS_PER_MINUTE) -> None:
        self._rate = units_per_minute / 60
        self._most = units_per_minute / 60 * 5  # five seconds' worth may be spent at once
        self._units = self._most
        self._filled = time.monotonic()
        self._turn = asyncio.Lock()

    async def take(self, units: float) -> None:
        """Wait until so many units are there, and take them."""
        async with self._turn:
            self._fill()
            if self._units < units:
                await asyncio.sleep((units - self._units) / self._rate)
                self._fill()
            self._units -= units

    def drain(self) -> None:
        """Start from nothing: Google has said that it was too much."""
        self._fill()
        self._units = min(self._units, 0.0)

    def _fill(self) -> None:
        now = time.monotonic()
        self._units = min(self._most, self._units + (now - self._filled) * self._rate)
        self._filled = now
