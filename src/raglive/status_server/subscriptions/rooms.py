"""Who watches what: the rooms, and the writing of packets to those in them.

Writing never waits. A viewer's packets stand in its connection's own queue, behind whatever stands
there already, so that an acknowledgement and an event never overtake each other. A viewer whose
queue is full falls behind: what it is not sent is not held for it, but read again from the ring
when it has read what it was sent (`catching_up.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet

from raglive.status_server.subscriptions.messages import Message
from raglive.status_server.transport.outbox import Burst, Outbox, batch_packet, event_packet
from raglive.store.log.event_log import Head
from raglive_contract.redaction import Redaction

__all__ = ["Audience", "Viewer"]

FRAME_BYTES = 64  # around an event's own, at most


class Viewer:
    """One connection to one namespace."""

    def __init__(self, sid: str, namespace: str, engine_sid: str, outbox: Outbox) -> None:
        self.sid = sid
        self.namespace = namespace
        self.engine_sid = engine_sid
        self.outbox = outbox
        self.batch = False
        self.follows_all = False
        self.pipelines: set[str] = set()
        self.redact = False
        self.since = time.monotonic()
        self.has_returned = False
        self.behind: dict[str, int] = {}
        self.is_catching_up = False
        self.joining: set[str] = set()
        self.releasing: asyncio.Handle | None = None
        self._held: list[tuple[str, Burst]] = []
        self._held_bytes = 0

    def hold(self, pipeline_id: str) -> None:
        """Keep back the live events of a pipeline until `release`."""
        self.joining.add(pipeline_id)

    def release(self) -> None:
        """Send what was kept back, of the pipelines that are still watched."""
        self.joining.clear()
        held, self._held, self._held_bytes = self._held, [], 0
        for pipeline_id, burst in held:
            if pipeline_id in self.pipelines:
                self.outbox.put_burst(burst)

    def takes(self, size: int) -> bool:
        """Say whether there is room for `size` bytes."""
        return self.outbox.takes(self._held_bytes + size)

    def write_live(self, pipeline_id: str, burst: Burst) -> None:
        """Send a pipeline's live packets, or keep them back."""
        if pipeline_id not in self.joining:
            self.outbox.put_burst(burst)
            return
        self._held.append((pipeline_id, burst))
        self._held_bytes += burst.size


class Audience:
    """Every viewer, by namespace and pipeline; `fell_behind` hears of who has to catch up."""

    def __init__(self, fell_behind: Callable[[Viewer], None], redaction: Redaction) -> None:
        self._fell_behind = fell_behind
        self._redaction = redaction
        self.delivered = 0
        self._rooms: dict[str, dict[str, Viewer]] = {}
        self._viewers: dict[str, Viewer] = {}

    def __len__(self) -> int:
        return len(self._viewers)

    def admit(self, viewer: Viewer) -> None:
        """Take in a connection; it watches nothing yet."""
        self._viewers[viewer.sid] = viewer

    def find(self, sid: str) -> Viewer | None:
        """Return the viewer with this session."""
        return self._viewers.get(sid)

    def dismiss(self, sid: str) -> None:
        """Forget a connection."""
        viewer = self._viewers.pop(sid, None)
        if viewer is not None:
            self.leave(viewer, viewer.pipelines)

    def watched(self) -> AbstractSet[str]:
        """List the pipelines that have viewers."""
        return self._rooms.keys()

    def join(
        self,
        viewer: Viewer,
        pipeline_id: str,
        missed: Sequence[Message],
        summary: Message | None = None,
    ) -> int:
        """Send what was missed, then the summary as a live event, and everything that follows.

        Returns how much of what was missed there was room for; when not for all, nothing follows,
        as nothing does to who is gone already.
        """
        if self._viewers.get(viewer.sid) is not viewer:
            return len(missed)
        self.leave(viewer, [pipeline_id])
        written = self.fill(viewer, missed)
        if written == len(missed):
            viewer.pipelines.add(pipeline_id)
            self._rooms.setdefault(pipeline_id, {})[viewer.sid] = viewer
            if summary is not None:
                self._write_live(viewer, pipeline_id, [summary], self._burst(viewer, [summary]))
        return written

    def fill(self, viewer: Viewer, messages: Sequence[Message]) -> int:
        """Write as many messages as there is room for; return how many.

        Where half is free there is room for one of any size.
        """
        size = fitting = 0
        for message in messages:
            size += len(message.body) + FRAME_BYTES
            if not viewer.takes(size) and (fitting or not viewer.outbox.has_room):
                break
            fitting += 1
        if fitting:
            viewer.outbox.put_burst(self._burst(viewer, messages[:fitting]))
            self.delivered += fitting
        return fitting

    def leave(self, viewer: Viewer, pipeline_ids: Iterable[str]) -> None:
        """Send nothing more of these pipelines."""
        for pipeline_id in list(pipeline_ids):
            viewer.pipelines.discard(pipeline_id)
            viewer.behind.pop(pipeline_id, None)
            room = self._rooms.get(pipeline_id, {})
            room.pop(viewer.sid, None)
            if not room:
                self._rooms.pop(pipeline_id, None)

    def vacate(self, pipeline_id: str) -> list[Viewer]:
        """Send nothing more of a pipeline to anyone; return who watched it."""
        viewers = list(self._rooms.get(pipeline_id, {}).values())
        for viewer in viewers:
            self.leave(viewer, [pipeline_id])
        return viewers

    def deliver(self, head: Head, messages: Sequence[Message]) -> None:
        """Write messages of a pipeline to all who watch it."""
        room = self._rooms.get(head.pipeline_id)
        if not room:
            return
        bursts: dict[tuple[bool, bool], Burst] = {}  # by class of viewer
        for viewer in list(room.values()):
            if head.pipeline_id in viewer.behind:
                continue
            burst = bursts.get((viewer.batch, viewer.redact))
            if burst is None:
                burst = bursts[viewer.batch, viewer.redact] = self._burst(viewer, messages)
            self._write_live(viewer, head.pipeline_id, messages, burst)

    def send(self, viewer: Viewer, event: str, body: bytes) -> None:
        """Write one event to one viewer."""
        viewer.outbox.put_nowait(event_packet(viewer.namespace, event, body))

    def everyone(self) -> list[Viewer]:
        """Return every viewer."""
        return list(self._viewers.values())

    def _write_live(
        self, viewer: Viewer, pipeline_id: str, messages: Sequence[Message], burst: Burst
    ) -> None:
        if viewer.takes(burst.size):
            viewer.write_live(pipeline_id, burst)
            self.delivered += len(messages)
        else:
            self._leave_behind(viewer, pipeline_id, messages)

    def _leave_behind(self, viewer: Viewer, pipeline_id: str, messages: Sequence[Message]) -> None:
        """Note from where a viewer has to catch up; progress and heartbeats are not sent again."""
        first = messages[0]
        if first.seq is not None:
            viewer.behind[pipeline_id] = first.seq - 1
        elif first.type == "pipeline:summary":
            viewer.behind[pipeline_id] = first.head_seq
        else:
            return
        self._fell_behind(viewer)

    def _burst(self, viewer: Viewer, messages: Sequence[Message]) -> Burst:
        if viewer.redact:
            messages = [one.masked(self._redaction.event) for one in messages]
        if viewer.batch:
            return Burst([batch_packet(viewer.namespace, messages)])
        return Burst([event_packet(viewer.namespace, one.type, one.body) for one in messages])
