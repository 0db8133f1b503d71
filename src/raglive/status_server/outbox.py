"""What stands to be written to one connection, and how many bytes that is."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from engineio import packet

__all__ = ["MAX_HELD_BYTES", "Outbox"]

# With what the transport holds, and a poll that is being written, twice this at most.
MAX_HELD_BYTES = 128 * 1024
CONTROL = frozenset({packet.PING, packet.PONG, packet.NOOP, packet.CLOSE})


class Outbox(asyncio.Queue[Any]):
    """Packets in their order; None ends whoever takes them.

    A packet counts until `sent`: it is held for as long as it is not written out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.held_bytes = 0
        self.dropped = 0
        self._taken = asyncio.Event()

    def takes(self, size: int) -> bool:
        """Say whether there is room for `size` bytes."""
        return self.held_bytes + size <= MAX_HELD_BYTES

    async def room(self, within_seconds: float, *, all_of_it: bool = False) -> bool:
        """Wait until at least half is free, or all of it; say whether it came to that.

        The time counts from the last byte that was taken: who is slow, but reads, is waited for.
        """
        most = 0 if all_of_it else MAX_HELD_BYTES // 2
        while self.held_bytes > most:
            self._taken.clear()
            try:
                async with asyncio.timeout(within_seconds):
                    await self._taken.wait()
            except TimeoutError:
                return False
        return True

    def sent(self, item: Any) -> None:
        """Let go of a packet that was taken."""
        self.held_bytes -= _size(item)
        self.task_done()
        self._taken.set()

    def take_all(self) -> list[Any]:
        """Take every packet there is, up to an end that is left standing."""
        taken = []
        with suppress(asyncio.QueueEmpty):
            while (item := self.get_nowait()) is not None:
                taken.append(item)
            self.task_done()
            self.put_nowait(None)
        for item in taken:
            self.sent(item)
        return taken

    def drop(self) -> None:
        """Forget every packet."""
        with suppress(asyncio.QueueEmpty):
            while True:
                item = self.get_nowait()
                self.dropped += _size(item) > 0
                self.sent(item)

    def _put(self, item: Any) -> None:
        super()._put(item)
        self.held_bytes += _size(item)


def _size(item: Any) -> int:
    if item is None or item.packet_type in CONTROL:
        return 0
    return len(item.data) if isinstance(item.data, (str, bytes)) else 0
