"""The rolling digest of a pipeline's durable events.

`sha256(previous || id (16 bytes) || seq (8 bytes, big-endian))`, empty before the first event. It
folds identities, not payloads, so that every viewer reaches the same one, redacted or not.
"""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID

__all__ = ["EMPTY", "roll"]

EMPTY = b""


def roll(previous: bytes, event_id: UUID, seq: int) -> bytes:
    """Return the digest after the event; 32 bytes."""
    return sha256(previous + event_id.bytes + seq.to_bytes(8, "big")).digest()
