"""The outbound queue of an Engine.IO session, with its size in bytes.

Packets wait in the queue for a poll or for the writer task of a WebSocket. Once a WebSocket is
attached, messages bypass the queue: they are written to the connection in the step that makes
them, one write per tick, with frames that are built once for all subscribers. Pings and the close
packet still go through the writer task; a ping that is a few messages late does no harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from engineio import packet

from raglive.status_server.transport.connection_writer import (
    ConnectionWriter,
    binary_frame,
    text_frame,
)

__all__ = [
    "MAX_HELD_BYTES",
    "Burst",
    "OutboundQueue",
    "ReadyPacket",
    "batch_packet",
    "event_packet",
]

# The connection's write buffer and a poll in flight may add as much again.
MAX_HELD_BYTES = 128 * 1024
BUFFER_CHECK_SECONDS = 0.01  # a connection does not report that its buffer has drained
CONTROL = frozenset({packet.PING, packet.PONG, packet.NOOP, packet.CLOSE})


class Burst:
    """Packets that are sent together to every subscriber of one class."""

    def __init__(self, packets: Sequence[ReadyPacket]) -> None:
        self.packets = packets
        self.size = sum(packet.size for packet in packets)

    @cached_property
    def frames(self) -> bytes:
        """The packets as WebSocket messages."""
        return b"".join(map(_frame_of, self.packets))


class OutboundQueue(asyncio.Queue[Any]):
    """Packets in order; None ends the task that takes them.

    A packet counts as held until `sent`, when it is written out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dropped = 0
        self._queued_bytes = 0
        self._taken = asyncio.Event()
        self._writer: ConnectionWriter | None = None

    @property
    def held_bytes(self) -> int:
        """Bytes queued or buffered, not yet written out."""
        if self._writer is None:
            return self._queued_bytes
        return self._queued_bytes + self._writer.buffered_bytes

    def put_nowait(self, item: Any) -> None:
        """Append a packet; a message goes directly to an attached connection."""
        if self._writer is not None and item is not None and item.packet_type == packet.MESSAGE:
            self._writer.write(_frame_of(item))
        else:
            super().put_nowait(item)

    def put_burst(self, burst: Burst) -> None:
        """Append packets; they go directly to an attached connection."""
        if self._writer is not None:
            self._writer.write(burst.frames)
            return
        for item in burst.packets:
            super().put_nowait(item)

    def attach(self, writer: ConnectionWriter) -> None:
        """Write the queued packets, and every later message, to a WebSocket's connection."""
        for item in self.take_all():
            writer.write(_frame_of(item))
        self._writer = writer

    def detach(self) -> None:
        """Stop writing to the connection."""
        self._writer = None

    def fits(self, size_bytes: int) -> bool:
        """Compare the size with what is left of `MAX_HELD_BYTES`."""
        return self.held_bytes + size_bytes <= MAX_HELD_BYTES

    @property
    def is_half_free(self) -> bool:
        """At least half of `MAX_HELD_BYTES` is free."""
        return self.held_bytes <= MAX_HELD_BYTES // 2

    async def drained(self, within_seconds: float) -> bool:
        """Wait until at least half is free; False after `within_seconds` without progress.

        Every byte taken restarts the time: a slow reader is waited for, a stopped one is not.
        """
        loop = asyncio.get_running_loop()
        held, deadline = self.held_bytes, loop.time() + within_seconds
        while not self.is_half_free:
            self._taken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(BUFFER_CHECK_SECONDS):
                    await self._taken.wait()
            before, held = held, self.held_bytes
            if held < before:
                deadline = loop.time() + within_seconds
            elif loop.time() >= deadline:
                return False
        return True

    def sent(self, item: Any) -> None:
        """Release the bytes of a packet that was taken and written out."""
        self._queued_bytes -= _size(item)
        self.task_done()
        self._taken.set()

    def take_all(self) -> list[Any]:
        """Take and release every packet; an end marker stays in the queue."""
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
        """Discard every packet, and count the messages among them as dropped."""
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


class ReadyPacket(packet.Packet):  # type: ignore[misc]  # engineio is untyped
    """An Engine.IO message whose text is encoded once."""

    def __init__(self, text: str) -> None:
        super().__init__(packet.MESSAGE, text)
        self._encoded = f"4{text}"
        self.size = len(self._encoded)

    def encode(self, b64: bool = False) -> str:  # noqa: ARG002 - engineio's signature
        """Encode for either transport: text needs no base64."""
        return self._encoded


def event_packet(namespace: str, event: str, body: bytes) -> ReadyPacket:
    """Make the Socket.IO packet of one event from its JSON body."""
    return ReadyPacket(f'2{namespace},["{event}",{body.decode()}]')


def batch_packet(namespace: str, bodies: Iterable[bytes]) -> ReadyPacket:
    """Make one `events:batch` packet from the JSON bodies of several events."""
    return event_packet(namespace, "events:batch", b'{"events":[' + b",".join(bodies) + b"]}")
