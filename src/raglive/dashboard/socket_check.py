"""Checks of the WebSocket connection: the last probe, and a Socket.IO round trip."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import socketio
from fastapi import Request

from raglive import __version__
from raglive.dashboard.status_probe import Probe, StatusProbe
from raglive.dashboard.status_server_address import StatusServerAddress
from raglive_contract.model import rfc3339

__all__ = ["SocketTester", "round_trip", "socket_info"]

TEST_SECONDS = 5.0
TESTS_AT_ONCE = 4


def socket_info(probe: Probe, address: StatusServerAddress, request: Request) -> dict[str, Any]:
    """Build `SocketInfo` from a probe."""
    return {
        "available": probe.is_available,
        "url": address.origin(request),
        "path": address.public(request)["path"],
        "namespaces": address.namespaces,
        "transports": ["websocket", "polling"],
        "version": probe.health.version if probe.health else __version__,
        "health": probe.verdict,
        "latency": probe.latency_ms,
        "features": {
            "realtime_updates": probe.is_available,
            "file_progress": probe.is_available,
            "auto_reconnect": True,
            "fallback_polling": True,
        },
        "last_checked": rfc3339(probe.checked_at),
    }


class SocketTester:
    """Connects to the status server as a viewer does, and pings it."""

    def __init__(self, address: StatusServerAddress, probe: StatusProbe) -> None:
        self._address = address
        self._probe = probe
        self._slots = asyncio.Semaphore(TESTS_AT_ONCE)

    async def test(self, pipeline_type: str, token: str) -> dict[str, Any]:
        """Run the test and build `SocketTest`; takes about six seconds at most."""
        latency_ms, transport, error = None, None, None
        try:
            async with asyncio.timeout(TEST_SECONDS), self._slots:
                latency_ms, transport = await self._round_trip(f"/{pipeline_type}", token)
        except TimeoutError:
            error = f"The status server did not answer within {TEST_SECONDS:g} s."
        except (OSError, ValueError) as failure:
            error = f"The connection failed: {str(failure) or type(failure).__name__}"
        return {
            "success": error is None,
            "latency": latency_ms,
            "transport": transport,
            "timestamp": rfc3339(datetime.now(UTC)),
            "server_info": await self._server_info(),
            "error": error,
        }

    async def _round_trip(self, namespace: str, token: str) -> tuple[float, str]:
        address = self._address
        url, path = address.internal_url, address.internal_path
        return await round_trip(url, path, namespace, token, TEST_SECONDS)

    async def _server_info(self) -> dict[str, Any] | None:
        health = (await self._probe.fresh()).health
        if health is None:
            return None
        return {
            "version": health.version,
            "connected_clients": health.connected_clients,
            "uptime": health.uptime,
        }


CLOSE_SECONDS = 1.0


async def round_trip(
    url: str, path: str, namespace: str, token: str, within_seconds: float
) -> tuple[float, str]:
    """Measure a ping in milliseconds, with the transport. Raises ConnectionError, ValueError."""
    client = socketio.AsyncClient(reconnection=False, logger=False, engineio_logger=False)
    try:
        await client.connect(
            url,
            auth={"token": token},
            namespaces=[namespace],
            socketio_path=path,
            wait_timeout=within_seconds,
        )
        started = time.perf_counter()
        await client.call("ping", time.time() * 1000, namespace=namespace, timeout=within_seconds)
        return round((time.perf_counter() - started) * 1000, 2), str(client.transport())
    except socketio.exceptions.SocketIOError as error:
        raise ConnectionError(_reason(error)) from error
    finally:
        with suppress(TimeoutError, socketio.exceptions.SocketIOError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await client.shutdown()


def _reason(failure: Exception) -> str:
    said = failure.args[0] if failure.args else None
    if isinstance(said, dict):  # the server's refusal
        said = said.get("message")
    return str(said or type(failure).__name__)[:500]
