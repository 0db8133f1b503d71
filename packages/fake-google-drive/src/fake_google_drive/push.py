"""Delivery of push messages to the addresses of channels."""

from __future__ import annotations

import asyncio

import httpx
import structlog

from fake_google_drive.channels import PushChannel
from fake_google_drive.google import FakeGoogle
from fake_google_drive.tree import Corpus

__all__ = ["PushSender"]

log = structlog.get_logger()

DELIVERY_SECONDS = 5.0
ATTEMPTS = 3
_BODY = b'{"kind":"drive#changes"}'


class PushSender:
    """Sends a message to each channel whose log has grown, one after the other."""

    def __init__(self, google: FakeGoogle) -> None:
        self._google = google
        self._waiting: asyncio.Queue[tuple[PushChannel, str]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to deliver."""
        self._google.channels.on_open = self._opened
        self._google.drive.logs.listeners.append(self._grown)
        self._task = asyncio.create_task(self._run(), name="fake-drive-push")

    async def close(self) -> None:
        """Stop delivering; idempotent."""
        if self._task is None:
            return
        self._google.drive.logs.listeners.remove(self._grown)
        self._google.channels.on_open = None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    def _opened(self, channel: PushChannel) -> None:
        self._waiting.put_nowait((channel, "sync"))

    def _grown(self, corpus: Corpus) -> None:
        for channel in self._google.channels.of(corpus):
            self._waiting.put_nowait((channel, "change"))

    async def _run(self) -> None:
        async with httpx.AsyncClient(timeout=DELIVERY_SECONDS) as client:
            while True:
                channel, state = await self._waiting.get()
                await _deliver(client, channel, state)


async def _deliver(client: httpx.AsyncClient, channel: PushChannel, state: str) -> None:
    headers = channel.headers(state)
    body = b"" if state == "sync" else _BODY
    for attempt in range(ATTEMPTS):
        try:
            answer = await client.post(channel.address, content=body, headers=headers)
        except httpx.HTTPError as error:
            log.info("push_failed", channel=channel.id, error=str(error))
            return
        if answer.status_code < 500:
            return
        await asyncio.sleep(0.1 * 2**attempt)
