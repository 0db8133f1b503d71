"""Who watches what: the rooms, and the writing of packets to those in them.

Writing never waits. A viewer's packets stand in its connection's own queue, behind whatever stands
there already, so that an acknowledgement and an event never overtake each other; a viewer whose
queue is full is closed and comes back with its cursor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import structlog

from raglive.contract.errors import ErrorCode, RagliveError
from raglive.contract.redaction import Redaction
from raglive.database.event_log import Head
from raglive.hub.messages import Message
from raglive.hub.ring import MAX_MESSAGES
from raglive.status_server.frames import ReadyPacket, batch_packet, event_packet

__all__ = ["Audience", "Viewer"]

log = structlog.get_logger()

MAX_QUEUED_PACKETS = 2 * MAX_MESSAGES
CATCH_UP_SECONDS = 10.0


class Viewer:
    """One connection to one namespace."""

    def __init__(
        self, sid: str, namespace: str, engine_sid: str, queue: asyncio.Queue[Any]
    ) -> None:
        self.sid = sid
        self.namespace = namespace
        self.engine_sid = engine_sid
        self.batch = False
        self.follows_all = False
        self.pipelines: set[str] = set()
        self.redact = False
        self._joining: set[str] = set()
        self._held: list[tuple[str, ReadyPacket]] = []
        self._queue = queue

    async def catch_up(self) -> None:
        """Wait until there is room for all that a pipeline may replay; raise `too_slow`."""
        if self._queue.qsize() <= MAX_QUEUED_PACKETS - MAX_MESSAGES:
            return
        try:
            async with asyncio.timeout(CATCH_UP_SECONDS):
                await self._queue.join()
        except TimeoutError:
            raise RagliveError(
                "What was sent before has not been read. Subscribe to less at once.",
                code=ErrorCode.TOO_SLOW,
                retryable=True,
            ) from None

    def hold(self, pipeline_id: str) -> None:
        """Keep back the live events of a pipeline until `release`."""
        self._joining.add(pipeline_id)

    def release(self) -> None:
        """Send what was kept back, of the pipelines that are still watched."""
        self._joining.clear()
        held, self._held = self._held, []
        for pipeline_id, packet in held:
            if pipeline_id in self.pipelines:
                self._queue.put_nowait(packet)

    def write(self, packets: Iterable[ReadyPacket]) -> bool:
        """Queue packets; say whether the viewer keeps up."""
        for packet in packets:
            self._queue.put_nowait(packet)
        return self._keeps_up()

    def write_live(self, pipeline_id: str, packets: Sequence[ReadyPacket]) -> bool:
        """Queue a pipeline's live packets, or keep them back; say whether the viewer keeps up."""
        if pipeline_id not in self._joining:
            return self.write(packets)
        self._held += [(pipeline_id, packet) for packet in packets]
        return self._keeps_up()

    def _keeps_up(self) -> bool:
        return self._queue.qsize() + len(self._held) <= MAX_QUEUED_PACKETS


class Audience:
    """Every viewer, by namespace and pipeline."""

    def __init__(self, drop: Callable[[Viewer], None], redaction: Redaction) -> None:
        self._drop = drop
        self._redaction = redaction
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

    def join(self, viewer: Viewer, pipeline_id: str, missed: Sequence[Message]) -> None:
        """Send what was missed, and everything that follows; nothing to who is gone already."""
        if self._viewers.get(viewer.sid) is not viewer:
            return
        viewer.pipelines.add(pipeline_id)
        self._rooms.setdefault(pipeline_id, {})[viewer.sid] = viewer
        if missed:
            self._kept(viewer, viewer.write(self._packets(viewer, missed)))

    def leave(self, viewer: Viewer, pipeline_ids: Iterable[str]) -> None:
        """Send nothing more of these pipelines."""
        for pipeline_id in list(pipeline_ids):
            viewer.pipelines.discard(pipeline_id)
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
        ready: dict[tuple[bool, bool], list[ReadyPacket]] = {}  # by class of viewer
        for viewer in list(room.values()):
            packets = ready.get((viewer.batch, viewer.redact))
            if packets is None:
                packets = self._packets(viewer, messages)
                ready[viewer.batch, viewer.redact] = packets
            self._kept(viewer, viewer.write_live(head.pipeline_id, packets))

    def send(self, viewer: Viewer, event: str, body: bytes) -> None:
        """Write one event to one viewer."""
        self._kept(viewer, viewer.write([event_packet(viewer.namespace, event, body)]))

    def everyone(self) -> list[Viewer]:
        """Return every viewer."""
        return list(self._viewers.values())

    def _kept(self, viewer: Viewer, keeps_up: bool) -> None:
        if not keeps_up and viewer.sid in self._viewers:
            log.warning("viewer_too_slow", connection=viewer.sid)
            self.dismiss(viewer.sid)
            self._drop(viewer)

    def _packets(self, viewer: Viewer, messages: Sequence[Message]) -> list[ReadyPacket]:
        if viewer.redact:
            messages = [one.masked(self._redaction.event) for one in messages]
        if viewer.batch:
            return [batch_packet(viewer.namespace, messages)]
        return [event_packet(viewer.namespace, one.type, one.body) for one in messages]
