"""Messages as Socket.IO packets, encoded once for all viewers of a namespace."""

from __future__ import annotations

from collections.abc import Sequence

from engineio import packet as engineio_packet

from raglive.hub.messages import Message

__all__ = ["ReadyPacket", "batch_packet", "event_packet"]


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
