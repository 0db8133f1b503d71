"""A pipeline's log as the hub holds it for viewers: recent events, pending progress, snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from raglive.log_reader.followed_log import FollowedLog, LogBroken
from raglive.status_server.subscriptions.conflation import Conflation
from raglive.status_server.subscriptions.messages import Message, encode_in_slices
from raglive.status_server.subscriptions.ring import Ring
from raglive.store.log.event_log import Head, LoggedEvent
from raglive_contract.cursor import LogRange, Position, parse_cursor
from raglive_contract.wire import WirePipelineStatus

__all__ = ["Channel", "Deliver", "Recovery", "SentSummary"]

SNAPSHOT_SECONDS = 1.0  # heartbeat and progress change a snapshot without an event

Deliver = Callable[[Head, Sequence[Message]], None]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a viewer is sent when it joins: the missed events, and the status after them.

    `source` says where the events were found: `ring`, `log`, or `snapshot` for nowhere. `summary`
    is None until the pipeline's summary has been read.
    """

    pipeline_id: str
    recovered: bool
    missed: list[Message]
    snapshot: WirePipelineStatus
    position: Position
    digest: bytes
    source: str
    summary: Message | None


@dataclass(frozen=True, slots=True)
class SentSummary:
    """The summary that the viewers were sent last, its checksum, and when (seconds, monotonic)."""

    message: Message
    content: int
    sent_at: float


class Channel(FollowedLog):
    """A followed log with its ring, its pending progress, and its latest snapshot and summary.

    `backfilling` is held while the ring is extended towards the past. `sent_summary` is None while
    the pipeline has no viewers.
    """

    digest: bytes

    def __init__(self, head: Head, deliver: Deliver, heartbeat_interval_seconds: float) -> None:
        super().__init__(head, head.seq, head.digest)
        self._deliver = deliver
        self.ring = Ring(head.seq)
        self.conflation = Conflation(heartbeat_interval_seconds)
        self.backfilling = asyncio.Lock()
        self.sent_summary: SentSummary | None = None
        self._snapshot: WirePipelineStatus | None = None
        self._snapshot_seq = -1
        self._snapshot_at = float("-inf")

    @property
    def range(self) -> LogRange:
        """The events that the log holds, up to the last one that was read."""
        return LogRange(self.head.epoch, self.head.oldest_seq, self.seq)

    async def advance(self, events: list[LoggedEvent]) -> None:
        """Accept the next events in slices, and empty the list; between slices other tasks run."""
        async for part, messages in encode_in_slices(events):
            self.accept(part)
            self.ring.extend(messages)
            self.conflation.observe(messages)
            self._deliver(self.head, messages)

    @property
    def summary(self) -> Message | None:
        """The summary for a viewer that was sent every event so far."""
        if self.sent_summary is None:
            return None
        self.sent_summary.message.head_seq = self.seq
        return self.sent_summary.message

    def snapshot(self, now: float) -> WirePipelineStatus | None:
        """The status at the ring's end; None when it is not known, or not fresh at `now`."""
        if self._snapshot_seq != self.seq or now - self._snapshot_at > SNAPSHOT_SECONDS:
            return None
        return self._snapshot

    def keep_snapshot(self, snapshot: WirePipelineStatus, now: float) -> None:
        """Cache a snapshot that was read at `now` (seconds, monotonic)."""
        self._snapshot = snapshot
        self._snapshot_seq = self.seq_of(snapshot)
        self._snapshot_at = now

    def seq_of(self, snapshot: WirePipelineStatus) -> int:
        """Extract the seq of a snapshot; raise `LogBroken` when it belongs to another log."""
        position = parse_cursor(snapshot["cursor"]).positions.get(self.head.epoch)
        if position is None or position.seq < self.seq:
            raise LogBroken(f"the snapshot is at {snapshot['cursor']}")
        return position.seq

    def recover(
        self, after: int | None, snapshot: WirePipelineStatus, *, is_backfilled: bool
    ) -> Recovery:
        """Collect what follows the seq `after`; nothing when it is None or no longer in the ring.

        `snapshot` has to be of this moment.
        """
        missed = None if after is None else self.ring.after(after)
        return Recovery(
            self.head.pipeline_id,
            recovered=missed is not None,
            missed=missed or [],
            snapshot=snapshot,
            position=Position(self.head.epoch, self.seq),
            digest=self.digest,
            source="snapshot" if missed is None else "log" if is_backfilled else "ring",
            summary=self.summary,
        )
