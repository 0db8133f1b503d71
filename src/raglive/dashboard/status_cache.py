"""Where all pipelines stand, kept in memory, so that asking often costs the database little.

It is read again when a hint says that a log has moved, at most 20 times a second, and otherwise
when it is asked for and a second old. Callers at the same time share one reading.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress

from raglive.bus.messages import Hint
from raglive.bus.postgres import PostgresBus
from raglive.dashboard.system_status import Picture
from raglive.store.log.pipeline_status import PipelineReads

__all__ = ["Board"]

UNHINTED_SECONDS = 1.0
LEAST_SECONDS = 0.05


class Board:
    """Pictures of the pipelines; hints arrive while `run` runs."""

    def __init__(self, reads: PipelineReads, bus: PostgresBus) -> None:
        self._reads = reads
        self._bus = bus
        self._picture: Picture | None = None
        self._reading: asyncio.Task[Picture] | None = None
        self._hinted: dict[int, int] = {}
        self._doubtful = True
        self._moved = asyncio.Event()
        self.closing = False

    async def run(self) -> None:
        """Take hints until cancelled."""
        async with aclosing(self._bus.listen(live=False)) as messages:
            async for message in messages:
                if isinstance(message, Hint):
                    self._hinted[message.pipeline_key] = message.seq
                else:
                    self._doubtful = True
                self._wake()

    async def current(self) -> Picture:
        """Return a picture that no hint contradicts, and no older than a second.

        Raises `DatabaseUnavailable`.
        """
        picture = self._picture
        if picture is not None and self._is_true(picture):
            return picture
        return await self._join()

    async def renew(self) -> Picture:
        """Return a picture of this moment, or a later one; raise `DatabaseUnavailable`."""
        asked_at = asyncio.get_running_loop().time()
        while (picture := await self._join()).taken_at < asked_at:
            pass
        return picture

    async def wait(self, picture: Picture, within_seconds: float) -> None:
        """Return when the picture is no longer true; at the latest after `within_seconds`."""
        if self.closing or not self._is_true(picture):
            return
        left = UNHINTED_SECONDS - _age(picture)
        with suppress(TimeoutError):
            async with asyncio.timeout(min(within_seconds, left)):
                await self._moved.wait()

    def close(self) -> None:
        """Let everyone who waits go."""
        self.closing = True
        self._wake()

    def _wake(self) -> None:
        self._moved.set()  # wakes those who wait now
        self._moved.clear()

    def _is_true(self, picture: Picture) -> bool:
        if self._doubtful or _age(picture) >= UNHINTED_SECONDS:
            return False
        return all(picture.seqs.get(key, -1) >= seq for key, seq in self._hinted.items())

    async def _join(self) -> Picture:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(), name="board")
            self._reading.add_done_callback(_retrieve)
        return await asyncio.shield(self._reading)

    async def _read(self) -> Picture:
        if self._picture is not None:
            await asyncio.sleep(LEAST_SECONDS - _age(self._picture))
        taken_at = asyncio.get_running_loop().time()
        self._hinted.clear()
        self._doubtful = False
        try:
            self._picture = Picture(await self._reads.board(), taken_at, self._reads)
        except BaseException:
            self._doubtful = True
            raise
        return self._picture


def _age(picture: Picture) -> float:
    return asyncio.get_running_loop().time() - picture.taken_at


def _retrieve(reading: asyncio.Task[Picture]) -> None:
    if not reading.cancelled():
        reading.exception()
