"""Probes the health of the status server: on demand, and at most every two seconds."""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import httpx
import structlog
from pydantic import ConfigDict

from raglive_contract.http import ServerHealth

__all__ = ["Probe", "StatusProbe"]

log = structlog.get_logger()

FRESH_SECONDS = 2.0
STALE_SECONDS = 5.0
TIMEOUT_SECONDS = 1.0

Verdict = Literal["healthy", "degraded", "unavailable"]


class _Health(ServerHealth):
    model_config = ConfigDict(extra="ignore")  # a newer server may send more


@dataclass(frozen=True, slots=True)
class Probe:
    """The result of one request; `latency_ms` and `health` are None without an answer."""

    checked_at: datetime
    latency_ms: float | None
    health: ServerHealth | None

    @property
    def verdict(self) -> Verdict:
        """The health of the status server as a client sees it."""
        if self.health is None or self.health.websocket_server != "running":
            return "unavailable"
        return "healthy" if self.health.status == "healthy" else "degraded"

    @property
    def is_available(self) -> bool:
        """True if the status server accepts WebSocket connections."""
        return self.verdict != "unavailable"


class StatusProbe:
    """Requests `/health` of the status server at `url`; close it after use.

    It logs when the status server cannot be reached at that address, and when it can again.
    """

    def __init__(self, url: str) -> None:
        self._url = f"{url.rstrip('/')}/health"
        trusted = ssl.create_default_context()  # of the system, or of SSL_CERT_FILE
        self._http = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False, verify=trusted)
        self._last: Probe | None = None
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[Probe] | None = None
        self._warming: asyncio.Task[None] | None = None
        self._is_reachable = True

    def warm_up(self) -> None:
        """Begin a request without using its answer: the first one loads modules for 100 ms."""
        self._warming = asyncio.create_task(self._discard(), name="status-probe-warm-up")

    async def close(self) -> None:
        """Close the connection."""
        for task in (self._asking, self._warming):
            if task is not None:
                task.cancel()
        await self._http.aclose()

    async def recent(self) -> Probe:
        """The last result, at most five seconds old; it is renewed in the background after two."""
        age = time.monotonic() - self._asked_at
        if age < FRESH_SECONDS and self._last is not None:
            return self._last
        asking = self._ask()
        if age < STALE_SECONDS and self._last is not None:
            return self._last
        return await asyncio.shield(asking)

    async def fresh(self) -> Probe:
        """The last result, at most two seconds old; takes at most a second."""
        if time.monotonic() - self._asked_at < FRESH_SECONDS and self._last is not None:
            return self._last
        return await asyncio.shield(self._ask())

    async def _discard(self) -> None:
        with suppress(httpx.HTTPError, httpx.InvalidURL, TimeoutError):
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self._http.get(self._url)

    def _ask(self) -> asyncio.Task[Probe]:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._probe(), name="status-probe")
        return self._asking

    async def _probe(self) -> Probe:
        started = time.monotonic()
        checked_at = datetime.now(UTC)
        health = await self._health()
        latency_ms = None if health is None else round((time.monotonic() - started) * 1000, 2)
        self._last = Probe(checked_at, latency_ms, health)
        self._asked_at = started
        return self._last

    async def _health(self) -> ServerHealth | None:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answer = await self._http.get(self._url)
            health = _Health.model_validate_json(answer.content)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:
            self._note_unreachable(error)
            return None
        if not self._is_reachable:
            self._is_reachable = True
            log.info("status_server_reachable", url=self._url)
        return health

    def _note_unreachable(self, error: Exception) -> None:
        if not self._is_reachable:
            return
        self._is_reachable = False
        reason = "timeout" if isinstance(error, TimeoutError) else type(error).__name__
        log.warning(
            "status_server_unreachable",
            url=self._url,
            reason=reason,
            setting="RAGLIVE_STATUS_INTERNAL_URL",
        )
