"""One pipeline as the hub holds it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from raglive.status_server.subscriptions.conflation import Conflation
from raglive.status_server.subscriptions.messages import Message
from raglive.status_server.subscriptions.ring import LogBroken, Ring
from raglive.store.log.event_log import Head
from raglive_contract.cursor import Cursor, Position, Start, parse_cursor

__all__ = ["Channel", "Opening"]

SNAPSHOT_SECONDS = 1.0  # of its freshness: heartbeat and progress change without an event


@dataclass(frozen=True, slots=True)
class Opening:
    """Where a viewer starts: what it missed, and the pipeline's status after that."""

    pipeline_id: str
    recovered: bool
    missed: list[Message]
    snapshot: dict[str, Any]
    position: Position
    digest: bytes
    place: str  # `ring`, `log` or `snapshot`: where it was found


class Channel:
    """A pipeline's ring, its pending progress, and its latest snapshot.

    Whoever moves the ring's end, or relies on it across an await, holds `lock`.
    """

    def __init__(self, head: Head, heartbeat_interval_seconds: float) -> None:
        self.head = head
        self.ring = Ring(head.seq, head.digest)
        self.conflation = Conflation(heartbeat_interval_seconds)
        self.lock = asyncio.Lock()
        self.reaching_back = asyncio.Lock()
        self._snapshot: dict[str, Any] = {}
        self._snapshot_seq = -1
        self._snapshot_at = float("-inf")

    def snapshot(self, now: float) -> dict[str, Any] | None:
        """Return the status at the ring's end; None when it is not known, or not fresh."""
        if self._snapshot_seq != self.ring.seq or now - self._snapshot_at > SNAPSHOT_SECONDS:
            return None
        return self._snapshot

    def keep_snapshot(self, snapshot: dict[str, Any], now: float) -> None:
        """Keep a snapshot that was read at `now` (seconds, monotonic)."""
        self._snapshot = snapshot
        self._snapshot_seq = self.seq_of(snapshot)
        self._snapshot_at = now

    def seq_of(self, snapshot: dict[str, Any]) -> int:
        """Return the seq that a snapshot is of; raise `LogBroken` when it is of another log."""
        position = parse_cursor(snapshot["cursor"]).positions.get(self.head.epoch)
        if position is None or position.seq < self.ring.seq:
            raise LogBroken(f"the log stands at {snapshot['cursor']}")
        return position.seq

    def start(self, cursor: Cursor | None, epochs: Iterable[str]) -> int | Start | None:
        """Return the seq to resume after, `NOW`, or None to start from a snapshot."""
        if cursor is None:
            return None
        match cursor.resume(self.head.epoch, epochs):
            case Position(seq=seq):
                return seq
            case Start.BEGINNING:
                return 0
            case Start.NOW:
                return Start.NOW
            case _:
                return None

    def open(
        self, start: int | Start | None, snapshot: dict[str, Any], *, reached_back: bool
    ) -> Opening:
        """Return what follows `start`, with the snapshot of this very moment."""
        seq = self.ring.seq if start is Start.NOW else start
        missed = self.ring.after(seq) if isinstance(seq, int) else None
        return Opening(
            self.head.pipeline_id,
            recovered=missed is not None,
            missed=missed or [],
            snapshot=snapshot,
            position=Position(self.head.epoch, self.ring.seq),
            digest=self.ring.digest,
            place="snapshot" if missed is None else "log" if reached_back else "ring",
        )
