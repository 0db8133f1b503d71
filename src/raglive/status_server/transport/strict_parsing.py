"""Strict parsing of Socket.IO packets: a packet is valid, or raises one of `MALFORMED`."""

from __future__ import annotations

from typing import Any

import orjson
from socketio import packet

__all__ = ["MALFORMED", "FastJson", "StrictPacket"]

MAX_ATTACHMENTS = 8
RESERVED = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)
# What python-socketio raises while it reads a malformed packet.
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, RecursionError)


class FastJson:
    """orjson with python-socketio's interface; deep nesting raises ValueError."""

    @staticmethod
    def dumps(value: object, **_: object) -> str:
        """Encode without spaces; python-socketio's options are ignored."""
        return orjson.dumps(value).decode()

    @staticmethod
    def loads(text: str) -> Any:
        """Decode a text."""
        return orjson.loads(text)


class StrictPacket(packet.Packet):  # type: ignore[misc]  # socketio is untyped
    """A Socket.IO packet that is valid, or raises one of `MALFORMED`."""

    def decode(self, encoded_packet: object) -> int:
        """Parse a packet, and return the number of its attachments."""
        if not isinstance(encoded_packet, str):
            raise TypeError("binary data that no packet announced")
        attachments: int = super().decode(encoded_packet)
        if attachments > MAX_ATTACHMENTS or not self._is_valid():
            raise ValueError(f"an invalid packet of type {self.packet_type}")
        return attachments

    def add_attachment(self, attachment: object) -> bool:
        """Add binary data; True when the packet is complete."""
        if not isinstance(attachment, bytes):
            raise TypeError("text in place of binary data")
        return bool(super().add_attachment(attachment))

    def _is_valid(self) -> bool:
        data = self.data
        match self.packet_type:
            case packet.CONNECT:
                return data is None or isinstance(data, dict)
            case packet.DISCONNECT:
                return data is None
            case packet.EVENT | packet.BINARY_EVENT:
                named = isinstance(data, list) and bool(data) and isinstance(data[0], str)
                return named and data[0] not in RESERVED
            case packet.ACK | packet.BINARY_ACK:
                return isinstance(data, list)
        return False
