"""Push channels: Google reports that a change log has grown, which wakes the watcher."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from uuid6 import uuid7

from raglive.sources.google_drive.client import DriveClient
from raglive_contract.errors import RagliveError

__all__ = ["PushChannels"]

log = structlog.get_logger()

LIFETIME_SECONDS = 24 * 3600.0  # Google allows a week; its default is an hour
RENEW_SHARE = 0.8  # of the lifetime
RETRY_SECONDS = 300.0
CHECK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Channel:
    id: str
    resource_id: str
    log: str
    token: str
    renew_at: float


class PushChannels:
    """Keeps one channel open for each change log, and renews it before it expires."""

    def __init__(
        self,
        client: DriveClient,
        address: str,
        logs: Callable[[], set[str]],
        on_message: Callable[[], None],
    ) -> None:
        self._client = client
        self._address = address
        self._logs = logs
        self._on_message = on_message
        self._open: dict[str, _Channel] = {}  # by id
        self._tokens: dict[str, str] = {}  # by channel id, of channels being opened as well
        self._not_before = 0.0

    async def run(self) -> None:
        """Keep a channel open for each log until cancelled, then close them all."""
        try:
            while True:
                await self._renew()
                await asyncio.sleep(CHECK_SECONDS)
        finally:
            await self._close(list(self._open.values()))

    def handle(self, headers: Mapping[str, str]) -> bool:
        """Wake the watcher for an authentic message; return False for any other."""
        channel_id = headers.get("x-goog-channel-id", "")
        token = self._tokens.get(channel_id, "")
        given = headers.get("x-goog-channel-token", "")
        is_ours = secrets.compare_digest(given.encode(), token.encode()) and bool(token)
        channel = self._open.get(channel_id)
        resource = headers.get("x-goog-resource-id", "")
        if not is_ours or (channel is not None and channel.resource_id != resource):
            return False
        if headers.get("x-goog-resource-state") != "sync":
            self._on_message()
        return True

    async def _renew(self) -> None:
        now = time.monotonic()
        logs = self._logs()
        fresh = {one.log for one in self._open.values() if now < one.renew_at}
        if now >= self._not_before:
            for name in sorted(logs - fresh):
                await self._open_channel(name)
        held = list(self._open.values())
        newest = {one.log: one.id for one in held}
        await self._close([one for one in held if newest[one.log] != one.id or one.log not in logs])

    async def _open_channel(self, name: str) -> None:
        channel_id, token = str(uuid7()), secrets.token_urlsafe(32)
        self._tokens[channel_id] = token
        expiration = int((time.time() + LIFETIME_SECONDS) * 1000)
        asked = {
            "id": channel_id,
            "type": "web_hook",
            "address": self._address,
            "token": token,
            "expiration": str(expiration),
        }
        try:
            found = await self._client.watch(name or None, asked)
        except RagliveError as error:
            self._tokens.pop(channel_id)
            self._not_before = time.monotonic() + RETRY_SECONDS
            log.warning("push_channel_refused", code=error.code, message=error.message)
            return
        lasts = int(found.get("expiration", expiration)) / 1000 - time.time()
        renew_at = time.monotonic() + max(60.0, lasts * RENEW_SHARE)
        resource = str(found.get("resourceId", ""))
        self._open[channel_id] = _Channel(channel_id, resource, name, token, renew_at)

    async def _close(self, channels: list[_Channel]) -> None:
        for channel in channels:
            self._open.pop(channel.id, None)
            self._tokens.pop(channel.id, None)
            try:
                await self._client.stop_channel(channel.id, channel.resource_id)
            except RagliveError as error:
                log.info("push_channel_not_stopped", code=error.code)
