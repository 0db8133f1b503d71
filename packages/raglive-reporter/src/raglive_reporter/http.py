"""The transport over HTTP, to the status server."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from raglive_contract.errors import ErrorCode, RagliveError
from raglive_reporter.errors import ReporterError
from raglive_reporter.transport import Batch, unavailable

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpTransport", "TokenProvider"]

TokenProvider = str | Callable[[], str | Awaitable[str]]

RESPONSE_SECONDS = 15.0
CONNECT_SECONDS = 5.0
TOKEN_SECONDS = 30.0
_TOKEN = re.compile(r"[!-~]{1,16384}")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_NEW_TOKEN_MAY_HELP = {ErrorCode.UNAUTHENTICATED, ErrorCode.TOKEN_EXPIRED, ErrorCode.FORBIDDEN}


class HttpTransport:
    """Posts batches to the status server at `url`.

    `token` is a token or a function, plain or async, that returns one. The function is called
    again when the server refuses the token. Raises `reporter_misused` for an unusable address or
    token.
    """

    def __init__(self, url: str, token: TokenProvider) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ReporterError(
                "The address of the status server must look like http://127.0.0.1:8103."
            )
        if isinstance(token, str):
            _checked_token(token)
        _import_httpx()
        self._address = f"{url.rstrip('/')}/v1/events"
        self._server = f"{parts.hostname}:{parts.port or parts.scheme}"
        self._is_loopback = parts.hostname in _LOOPBACK
        self._provider = token
        self._token: str | None = None
        self._client: httpx.AsyncClient | None = None
        self._log_filter = _RequestLogFilter(self._address)

    async def open(self) -> None:
        """Create the client without connecting, and forget the one of an earlier `open`."""
        import httpx  # noqa: PLC0415 - importing the package stays fast

        logging.getLogger("httpx").addFilter(self._log_filter)
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(RESPONSE_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=1),
            trust_env=not self._is_loopback,  # no proxy reaches a loopback address
        )

    async def close(self) -> None:
        """Close the client's connections."""
        logging.getLogger("httpx").removeFilter(self._log_filter)
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def publish(self, batch: Batch) -> None:
        """Publish durable events; all are committed when it returns."""
        used = self._token or await self._fetch_token()
        try:
            await self._post(batch, used)
        except RagliveError as error:
            if error.code not in _NEW_TOKEN_MAY_HELP or isinstance(self._provider, str):
                raise
            fresh = await self._fetch_token()
            if fresh == used:
                raise
            await self._post(batch, fresh)

    async def show(self, batch: Batch) -> None:
        """Send progress and heartbeats by the same request."""
        await self.publish(batch)

    async def _post(self, batch: Batch, token: str) -> None:
        import httpx  # noqa: PLC0415 - as above

        assert self._client is not None, "a transport must be opened before use"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        body = b'{"events":[' + b",".join(batch.events) + b"]}"
        try:
            response = await self._client.post(self._address, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise unavailable(
                f"The status server at {self._server} does not answer ({type(error).__name__})."
            ) from error
        _check_response(response, len(batch.events), self._server)

    async def _fetch_token(self) -> str:
        if isinstance(self._provider, str):
            self._token = self._provider
            return self._provider
        try:
            async with asyncio.timeout(TOKEN_SECONDS):
                found = await asyncio.to_thread(self._provider)
                self._token = _checked_token(await found if inspect.isawaitable(found) else found)
        except Exception as error:  # the caller's function may raise anything
            raise unavailable(
                f"The function for the token failed ({type(error).__name__})."
            ) from error
        return self._token


def _import_httpx() -> None:
    """Import what sending needs: a fork during an import would leave the child without it."""
    for module in ("httpx", "httpcore", "anyio._backends._asyncio"):
        with suppress(ImportError):
            importlib.import_module(module)


class _RequestLogFilter(logging.Filter):
    """Keeps the reporter's requests, several a second, out of the caller's log."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def filter(self, record: logging.LogRecord) -> bool:
        args = record.args
        return not (isinstance(args, tuple) and self._address in map(str, args))


def _checked_token(token: object) -> str:
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise ReporterError(
            "The token is malformed: `raglive token --role producer` creates a valid one."
        )
    return token


def _check_response(response: httpx.Response, sent: int, server: str) -> None:
    """Raise unless the response acknowledges all `sent` events as committed."""
    body = _json_object(response.content)
    if response.status_code == 200:
        if _committed(body) == sent:
            return
        raise unavailable(f"The server at {server} is not a status server of raglive.")
    refusal = body.get("error")
    if isinstance(refusal, dict) and isinstance(refusal.get("code"), str):
        raise RagliveError(
            str(refusal.get("message", "")) or f"Refused with {response.status_code}.",
            code=refusal["code"],
            retryable=refusal.get("retryable") is True,
            retry_after_ms=_retry_after_ms(refusal.get("retry_after_ms"), response),
        )
    raise unavailable(
        f"{server} answered {response.status_code} in an unknown format. Check the address, and "
        "any proxy in front of the status server.",
        _retry_after_ms(None, response),
    )


def _json_object(content: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _committed(body: dict[str, Any]) -> int | None:
    match body:
        case {"accepted": int(accepted), "duplicates": int(duplicates)}:
            return accepted + duplicates
        case _:
            return None


def _retry_after_ms(stated: object, response: httpx.Response) -> int | None:
    """Return the delay stated in the refusal, or else in the header `Retry-After`."""
    if isinstance(stated, int) and stated >= 0:
        return stated
    header = response.headers.get("Retry-After", "")
    if header.isascii() and header.isdigit():
        return int(header) * 1000
    try:
        time = parsedate_to_datetime(header)
    except ValueError:
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return max(0, int((time - datetime.now(UTC)).total_seconds() * 1000))
