"""What stands to be written to one connection, and how many bytes that is.

Packets wait in a queue for whoever takes them: a poll, or the writer of a WebSocket. Once there is
a WebSocket, messages need not wait for its writer: they go to the wire in the step that makes them,
those of one tick in one piece, framed once for all viewers. Pings and the end go through the writer
still; that a ping is late by some messages harms nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from engineio import packet
from engineio import packet as engineio_packet

from raglive.status_server.subscriptions.messages import Message
from raglive.status_server.transport.connection import Wire, binary_frame, text_frame

__all__ = ["MAX_HELD_BYTES", "Burst", "Outbox", "ReadyPacket", "batch_packet", "event_packet"]

# With what the transport holds, and a poll that is being written, twice this at most.
MAX_HELD_BYTES = 128 * 1024
LOOK_SECONDS = 0.01  # at a wire, which does not tell when it has been written out
CONTROL = frozenset({packet.PING, packet.PONG, packet.NOOP, packet.CLOSE})


class Burst:
    """Packets that are sent together, to all viewers of a kind."""

    def __init__(self, packets: Sequence[ReadyPacket]) -> None:
        self.packets = packets
        self.size = sum(packet.size for packet in packets)

    @cached_property
    def frames(self) -> bytes:
        """The packets as WebSocket messages."""
        return b"".join(map(_frame_of, self.packets))


class Outbox(asyncio.Queue[Any]):
    """Packets in their order; None ends whoever takes them.

    A packet counts until `sent`: it is held for as long as it is not written out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dropped = 0
        self._queued_bytes = 0
        self._taken = asyncio.Event()
        self._wire: Wire | None = None

    @property
    def held_bytes(self) -> int:
        """Return how much is not written out yet."""
        if self._wire is None:
            return self._queued_bytes
        return self._queued_bytes + self._wire.held_bytes

    def put_nowait(self, item: Any) -> None:
        """Put a packet behind those that were put before."""
        if self._wire is not None and item is not None and item.packet_type == packet.MESSAGE:
            self._wire.write(_frame_of(item))
        else:
            super().put_nowait(item)

    def put_burst(self, burst: Burst) -> None:
        """Put packets behind those that were put before."""
        if self._wire is not None:
            self._wire.write(burst.frames)
            return
        for item in burst.packets:
            super().put_nowait(item)

    def attach(self, wire: Wire) -> None:
        """Write what waits, and from now on every message, to a WebSocket's wire."""
        for item in self.take_all():
            wire.write(_frame_of(item))
        self._wire = wire

    def detach(self) -> None:
        """Write nothing to the wire any more."""
        self._wire = None

    def takes(self, size: int) -> bool:
        """Say whether there is room for `size` bytes."""
        return self.held_bytes + size <= MAX_HELD_BYTES

    @property
    def has_room(self) -> bool:
        """Say whether at least half is free."""
        return self.held_bytes <= MAX_HELD_BYTES // 2

    async def room(self, within_seconds: float) -> bool:
        """Wait until at least half is free; say whether it came to that.

        The time counts from the last byte that was taken: who is slow, but reads, is waited for.
        """
        loop = asyncio.get_running_loop()
        held, deadline = self.held_bytes, loop.time() + within_seconds
        while not self.has_room:
            self._taken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._taken.wait()
            before, held = held, self.held_bytes
            if held < before:
                deadline = loop.time() + within_seconds
            elif loop.time() >= deadline:
                return False
        return True

    def sent(self, item: Any) -> None:
        """Let go of a packet that was taken."""
        self._queued_bytes -= _size(item)
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
        self._queued_bytes += _size(item)


def _size(item: Any) -> int:
    if item is None or item.packet_type in CONTROL:
        return 0
    return len(item.data) if isinstance(item.data, (str, bytes)) else 0


def _frame_of(item: Any) -> bytes:
    encoded = item.encode()
    return binary_frame(encoded) if isinstance(encoded, bytes) else text_frame(encoded.encode())


class ReadyPacket(engineio_packet.Packet):  # type: ignore[misc]  # engineio is untyped
    """An Engine.IO message whose text is ready to be written."""

    def __init__(self, text: str) -> None:
        super().__init__(engineio_packet.MESSAGE, text)
        self._encoded = f"4{text}"
        self.size = len(self._encoded)

    def encode(self, b64: bool = False) -> str:  # noqa: ARG002 - engineio's signature
        """Return the text of the packet."""
        return self._encoded


def event_packet(namespace: str, event: str, body: bytes) -> ReadyPacket:
    """Return the packet of one event with its JSON body."""
    return ReadyPacket(f'2{namespace},["{event}",{body.decode()}]')


def batch_packet(namespace: str, messages: Sequence[Message]) -> ReadyPacket:
    """Return the packet of `events:batch`."""
    events = b",".join(message.body for message in messages)
    return event_packet(namespace, "events:batch", b'{"events":[' + events + b"]}")
