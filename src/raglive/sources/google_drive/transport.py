"""Sends requests to the Drive API: access token, quota, retries, and JSON or streamed responses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import structlog

from raglive.sources.google_drive.credentials import TokenSource
from raglive.sources.google_drive.errors import DriveUnavailable, TransferFailed
from raglive.sources.google_drive.quota import COSTS, QuotaBucket
from raglive.sources.google_drive.refusals import error_of_response
from raglive_contract.backoff import Backoff
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["GOOGLE", "DriveTransport", "RetryPolicy"]

log = structlog.get_logger()

GOOGLE = "https://www.googleapis.com"
RETRY_BACKOFF = Backoff(first_seconds=1.0, longest_seconds=64.0)
SIGN_IN_HOST = "accounts.google.com"
MAX_REDIRECTS = 5
_GOOGLE_HOSTS = (".google.com", ".googleapis.com", ".googleusercontent.com")
_RETRIED_BY_THE_CALLER = frozenset(
    {
        ErrorCode.AUTH_REQUIRED,
        ErrorCode.DRIVE_CURSOR_LOST,
        ErrorCode.DRIVE_DISABLED,
        ErrorCode.TRANSFER_FAILED,
    }
)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a request is sent, and the pauses between the attempts."""

    attempts: int = 6
    backoff: Backoff = RETRY_BACKOFF


@dataclass(frozen=True, slots=True)
class DriveTransport:
    """Sends the requests of one account.

    Every method raises `DriveUnavailable`, `DriveNotFound`, `CursorLost`, and the errors of
    `REFUSALS`. A request is repeated after a pause, unless Google asks for a pause that is longer
    than the longest of `retry`.
    """

    http: httpx.AsyncClient
    tokens: TokenSource
    url: str = GOOGLE
    quota: QuotaBucket = field(default_factory=QuotaBucket)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    resource_keys: Mapping[str, str] = field(default_factory=dict)  # by item id

    def address(self, path: str) -> str:
        """Return the URL of an API method."""
        return f"{self.url}/drive/v3/{path}"

    async def json(
        self,
        method: str,
        path: str,
        cost: str,
        params: dict[str, str],
        body: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Send a request and return the JSON object of its response; `cost` is a key of `COSTS`."""
        content = None if body is None else orjson.dumps(body)
        async with self.stream(method, self.address(path), cost, params, content) as response:
            read = await _read(response, path)
        if not read:
            return {}
        try:
            found = orjson.loads(read)
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise DriveUnavailable(f"Google Drive, {path}: the response is not a JSON object.")
        return found

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        cost: str,
        params: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """Send a request and provide its successful response, whose body is not read yet."""
        response = await self._send_with_retries(method, url, cost, params, content)
        try:
            yield response
        finally:
            await response.aclose()

    async def _send_with_retries(
        self,
        method: str,
        url: str,
        cost: str,
        params: dict[str, str] | None,
        content: bytes | None,
    ) -> httpx.Response:
        what, refused = url.rpartition("/v3/")[2].partition("?")[0], ""
        for attempt in range(self.retry.attempts):
            headers = self._headers(content)
            request = self.http.build_request(
                method, url, params=params, headers=headers, content=content
            )
            response = await self._send(request, what, cost, refused)
            if isinstance(response, httpx.Response):
                return response
            error = response
            if (
                error.code == ErrorCode.AUTH_REQUIRED
                and not refused
                and "Authorization" in request.headers
            ):
                refused = request.headers["Authorization"].removeprefix("Bearer ")
                continue
            asked = (error.retry_after_ms or 0) / 1000
            is_later = asked > self.retry.backoff.longest_seconds
            if not error.retryable or is_later or error.code in _RETRIED_BY_THE_CALLER:
                raise error
            if attempt + 1 < self.retry.attempts:
                pause = self.retry.backoff.seconds(attempt, asked)
                log.info("drive_retry", what=what, code=error.code, seconds=round(pause, 2))
                await asyncio.sleep(pause)
        raise error

    def _headers(self, content: bytes | None) -> dict[str, str]:
        headers = {} if content is None else {"Content-Type": "application/json"}
        if self.resource_keys:
            pairs = (f"{item}/{key}" for item, key in self.resource_keys.items())
            headers["X-Goog-Drive-Resource-Keys"] = ",".join(pairs)
        return headers

    async def _send(
        self, request: httpx.Request, what: str, cost: str, refused: str
    ) -> httpx.Response | RagliveError:
        """Send a request once, with a token other than `refused`; return the response or error."""
        try:
            self._require_google(request.url, what, cost)
            token = await self.tokens.token(refused)
            await self.quota.take(COSTS[cost])
            request.headers["Authorization"] = f"Bearer {token}"
            response = await self._follow(request, what, cost)
            if response.is_success:
                return response
            try:
                body = await response.aread()
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            return DriveUnavailable(f"Google Drive, {what}: no response ({type(error).__name__}).")
        except RagliveError as error:
            return error
        refused_by = error_of_response(response.status_code, response.headers, body, what)
        if refused_by.code == ErrorCode.DRIVE_RATE_LIMITED:
            self.quota.drain()
        return refused_by

    async def _follow(self, request: httpx.Request, what: str, cost: str) -> httpx.Response:
        """Send a request and follow its redirects, without the token on another server."""
        for _ in range(MAX_REDIRECTS):
            response = await self.http.send(request, stream=True)
            if response.next_request is None:
                return response
            await response.aclose()
            request = response.next_request
            self._require_google(request.url, what, cost)
        raise _not_followed("redirected too often", what, cost)

    def _require_google(self, url: httpx.URL, what: str, cost: str) -> None:
        """Raise an error for an address outside of the Drive API and Google's file servers."""
        own = httpx.URL(self.url)
        if (url.scheme, url.host, url.port) == (own.scheme, own.host, own.port):
            return
        is_google = url.host.endswith(_GOOGLE_HOSTS) and url.scheme == "https"
        if not is_google or url.host == SIGN_IN_HOST:
            where = f"{url.scheme}://{url.host}"
            raise _not_followed(
                f"redirected to {where}, which does not serve files of Google Drive", what, cost
            )


def _not_followed(why: str, what: str, cost: str) -> RagliveError:
    kind = TransferFailed if cost == "download" else DriveUnavailable
    return kind(f"Google Drive, {what}: {why}. Does a proxy ask for a sign-in?")


async def _read(response: httpx.Response, what: str) -> bytes:
    try:
        return await response.aread()
    except httpx.HTTPError as error:
        raise DriveUnavailable(
            f"Google Drive, {what}: the response ended early ({type(error).__name__})."
        ) from None
