"""Events over HTTP, to the status server."""

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

__all__ = ["HttpTransport", "TokenSource"]

TokenSource = str | Callable[[], str | Awaitable[str]]

ANSWER_SECONDS = 15.0
CONNECT_SECONDS = 5.0
TOKEN_SECONDS = 30.0
_TOKEN = re.compile(r"[!-~]{1,16384}")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_NEW_TOKEN_HELPS = {ErrorCode.UNAUTHENTICATED, ErrorCode.TOKEN_EXPIRED, ErrorCode.FORBIDDEN}


class HttpTransport:
    """Posts batches to `url`; a `token` that is a function is asked again when it is refused."""

    def __init__(self, url: str, token: TokenSource) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ReporterError(
                "The address of the status server should look like http://127.0.0.1:8103."
            )
        if isinstance(token, str):
            _check(token)
        _load()
        self._address = f"{url.rstrip('/')}/v1/events"
        self._server = f"{parts.hostname}:{parts.port or parts.scheme}"
        self._near = parts.hostname in _LOOPBACK  # no proxy leads there
        self._source = token
        self._token: str | None = None
        self._client: httpx.AsyncClient | None = None
        self._quiet = _Quiet(self._address)

    async def open(self) -> None:
        """Prepare, without connecting; what an earlier `open` left is forgotten."""
        import httpx  # noqa: PLC0415 - only those who send need it

        logging.getLogger("httpx").addFilter(self._quiet)
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=1),
            trust_env=not self._near,
        )

    async def close(self) -> None:
        """Close the connection."""
        logging.getLogger("httpx").removeFilter(self._quiet)
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def publish(self, batch: Batch) -> None:
        """Publish events; all of them are committed when it returns."""
        used = self._token or await self._ask_for_token()
        try:
            await self._post(batch, used)
        except RagliveError as error:
            if error.code not in _NEW_TOKEN_HELPS or isinstance(self._source, str):
                raise
            fresh = await self._ask_for_token()
            if fresh == used:
                raise
            await self._post(batch, fresh)

    async def show(self, batch: Batch) -> None:
        """Send progress and heartbeats, the same way."""
        await self.publish(batch)

    async def _post(self, batch: Batch, token: str) -> None:
        import httpx  # noqa: PLC0415 - as above

        assert self._client is not None, "a transport is opened before it is used"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        body = b'{"events":[' + b",".join(batch.events) + b"]}"
        try:
            answer = await self._client.post(self._address, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise unavailable(
                f"The status server at {self._server} does not answer ({type(error).__name__})."
            ) from error
        _read(answer, len(batch.events), self._server)

    async def _ask_for_token(self) -> str:
        if isinstance(self._source, str):
            self._token = self._source
            return self._source
        try:
            async with asyncio.timeout(TOKEN_SECONDS):
                found = await asyncio.to_thread(self._source)
                self._token = _check(await found if inspect.isawaitable(found) else found)
        except Exception as error:  # whatever the function of another does
            raise unavailable(f"No token could be had ({type(error).__name__}).") from error
        return self._token


def _load() -> None:
    """Import now what sending needs: a fork amid an import would leave the child without."""
    for module in ("httpx", "httpcore", "anyio._backends._asyncio"):
        with suppress(ImportError):
            importlib.import_module(module)


class _Quiet(logging.Filter):
    """Keeps our requests, several a second, out of the log of somebody else's program."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def filter(self, record: logging.LogRecord) -> bool:
        args = record.args
        return not (isinstance(args, tuple) and self._address in map(str, args))


def _check(token: object) -> str:
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise ReporterError("The token is not one: `raglive token --role producer` makes one.")
    return token


def _read(answer: httpx.Response, sent: int, server: str) -> None:
    said = _json_object(answer.content)
    if answer.status_code == 200:
        if _counted(said) == sent:
            return
        raise unavailable(f"What answers at {server} is not a status server of raglive.")
    refusal = said.get("error")
    if isinstance(refusal, dict) and isinstance(refusal.get("code"), str):
        raise RagliveError(
            str(refusal.get("message", "")) or f"Refused with {answer.status_code}.",
            code=refusal["code"],
            retryable=refusal.get("retryable") is True,
            retry_after_ms=_wait_ms(refusal.get("retry_after_ms"), answer),
        )
    raise unavailable(
        f"{server} answered {answer.status_code}, and not as a status server of raglive does.",
        _wait_ms(None, answer),
    )


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _counted(said: dict[str, Any]) -> int | None:
    counts = (said.get("accepted"), said.get("duplicates"))
    return sum(counts) if all(isinstance(count, int) for count in counts) else None  # type: ignore[arg-type]  # just checked


def _wait_ms(stated: object, answer: httpx.Response) -> int | None:
    """Return how long to wait: as the refusal says, else as `Retry-After` says."""
    if isinstance(stated, int) and stated >= 0:
        return stated
    header = answer.headers.get("Retry-After", "")
    if header.isascii() and header.isdigit():
        return int(header) * 1000
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, int((moment - datetime.now(UTC)).total_seconds() * 1000))
