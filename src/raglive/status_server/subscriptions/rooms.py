"""The rooms: which connection is subscribed to which pipeline, and the delivery of events.

Delivery never waits. Packets go to the outbound queue of the connection, behind what is queued
already, so that an acknowledgement and an event keep their order. A subscriber whose queue is full
falls behind: nothing more is queued for it, and `back_pressure.py` reads what it missed from the
ring once it has read what it was sent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet

from raglive.status_server.subscriptions.messages import Message
from raglive.status_server.transport.outbound_queue import (
    Burst,
    OutboundQueue,
    batch_packet,
    event_packet,
)
from raglive.store.log.event_log import Head
from raglive_contract.redaction import Redaction

__all__ = ["Rooms", "Subscriber"]

FRAME_BYTES = 64  # around an event's body, at most


class Subscriber:
    """One connection to one namespace, and its subscriptions."""

    def __init__(self, sid: str, namespace: str, engine_sid: str, queue: OutboundQueue) -> None:
        self.sid = sid
        self.namespace = namespace
        self.engine_sid = engine_sid
        self.queue = queue
        self.batch = False
        self.follows_all = False
        self.pipelines: set[str] = set()
        self.redact = False
        self.connected_at = time.monotonic()
        self.has_resumed = False
        self.behind: dict[str, int] = {}
        self.is_catching_up = False
        self.joining: set[str] = set()
        self.releasing: asyncio.Handle | None = None
        self._held: list[tuple[str, Burst]] = []
        self._held_bytes = 0

    @property
    def is_current(self) -> bool:
        """Whether the queue has every message that was delivered to the subscriber's rooms."""
        return not (self.behind or self.joining)

    def hold(self, pipeline_id: str) -> None:
        """Hold the live events of a pipeline until `release`."""
        self.joining.add(pipeline_id)

    def release(self) -> None:
        """Queue what was held, of the pipelines that are still subscribed."""
        self.joining.clear()
        held, self._held, self._held_bytes = self._held, [], 0
        for pipeline_id, burst in held:
            if pipeline_id in self.pipelines:
                self.queue.put_burst(burst)

    def fits(self, size_bytes: int) -> bool:
        """Compare the size with the free part of the queue, less what is held."""
        return self.queue.fits(self._held_bytes + size_bytes)

    def write_live(self, pipeline_id: str, burst: Burst) -> None:
        """Queue live packets of a pipeline, or hold them."""
        if pipeline_id not in self.joining:
            self.queue.put_burst(burst)
            return
        self._held.append((pipeline_id, burst))
        self._held_bytes += burst.size


class Rooms:
    """All subscribers by namespace and pipeline; `on_behind` receives one that falls behind."""

    def __init__(self, on_behind: Callable[[Subscriber], None], redaction: Redaction) -> None:
        self._on_behind = on_behind
        self._redaction = redaction
        self._rooms: dict[str, dict[str, Subscriber]] = {}
        self._subscribers: dict[str, Subscriber] = {}

    def __len__(self) -> int:
        return len(self._subscribers)

    def add(self, subscriber: Subscriber) -> None:
        """Add a connection; it is in no room yet."""
        self._subscribers[subscriber.sid] = subscriber

    def find(self, sid: str) -> Subscriber | None:
        """Find a subscriber by the session id of its namespace."""
        return self._subscribers.get(sid)

    def has(self, subscriber: Subscriber) -> bool:
        """Whether a subscriber is still connected."""
        return self._subscribers.get(subscriber.sid) is subscriber

    def remove(self, sid: str) -> None:
        """Remove a connection from all its rooms."""
        subscriber = self._subscribers.pop(sid, None)
        if subscriber is not None:
            self.leave(subscriber, subscriber.pipelines)

    def watched(self) -> AbstractSet[str]:
        """List the pipelines that have subscribers."""
        return self._rooms.keys()

    def join(
        self,
        subscriber: Subscriber,
        pipeline_id: str,
        missed: Sequence[Message],
        summary: Message | None = None,
    ) -> int:
        """Queue the missed messages, join the room, and send the summary as a live event.

        Returns how many missed messages fitted. The subscriber joins only when all did. All count
        as queued for a subscriber that has left.
        """
        if not self.has(subscriber):
            return len(missed)
        self.leave(subscriber, [pipeline_id])
        written = self.fill(subscriber, missed)
        if written == len(missed):
            subscriber.pipelines.add(pipeline_id)
            self._rooms.setdefault(pipeline_id, {})[subscriber.sid] = subscriber
            if summary is not None:
                self._write_live(
                    subscriber, pipeline_id, [summary], self._burst(subscriber, [summary])
                )
        return written

    def fill(self, subscriber: Subscriber, messages: Sequence[Message]) -> int:
        """Queue as many messages as fit, and return how many.

        A queue that is half free takes at least one message of any size.
        """
        size = fitting = 0
        for message in messages:
            size += len(message.body) + FRAME_BYTES
            if not subscriber.fits(size) and (fitting or not subscriber.queue.is_half_free):
                break
            fitting += 1
        if fitting:
            subscriber.queue.put_burst(self._burst(subscriber, messages[:fitting]))
        return fitting

    def leave(self, subscriber: Subscriber, pipeline_ids: Iterable[str]) -> None:
        """Leave the rooms of these pipelines."""
        for pipeline_id in list(pipeline_ids):
            subscriber.pipelines.discard(pipeline_id)
            subscriber.behind.pop(pipeline_id, None)
            room = self._rooms.get(pipeline_id, {})
            room.pop(subscriber.sid, None)
            if not room:
                self._rooms.pop(pipeline_id, None)

    def empty(self, pipeline_id: str) -> list[Subscriber]:
        """Remove everyone from the room of a pipeline, and return them."""
        subscribers = list(self._rooms.get(pipeline_id, {}).values())
        for subscriber in subscribers:
            self.leave(subscriber, [pipeline_id])
        return subscribers

    def deliver(self, head: Head, messages: Sequence[Message]) -> int:
        """Queue a pipeline's messages for its room, and return the number of deliveries."""
        room = self._rooms.get(head.pipeline_id)
        if not room:
            return 0
        delivered = 0
        bursts: dict[tuple[str, bool, bool], Burst] = {}  # by class of subscriber
        for subscriber in list(room.values()):
            if head.pipeline_id in subscriber.behind:
                continue
            kind = (subscriber.namespace, subscriber.batch, subscriber.redact)
            burst = bursts.get(kind)
            if burst is None:
                burst = bursts[kind] = self._burst(subscriber, messages)
            delivered += self._write_live(subscriber, head.pipeline_id, messages, burst)
        return delivered

    def send(self, subscriber: Subscriber, event: str, body: bytes) -> None:
        """Queue one event for one subscriber, whatever is queued already."""
        subscriber.queue.put_nowait(event_packet(subscriber.namespace, event, body))

    def everyone(self) -> list[Subscriber]:
        """List all subscribers."""
        return list(self._subscribers.values())

    def _write_live(
        self, subscriber: Subscriber, pipeline_id: str, messages: Sequence[Message], burst: Burst
    ) -> int:
        """Queue a burst and return the number of its messages; 0 when it does not fit."""
        if subscriber.fits(burst.size):
            subscriber.write_live(pipeline_id, burst)
            return len(messages)
        self._fall_behind(subscriber, pipeline_id, messages)
        return 0

    def _fall_behind(
        self, subscriber: Subscriber, pipeline_id: str, messages: Sequence[Message]
    ) -> None:
        """Note the last seq that was delivered; progress and heartbeats are skipped for good."""
        first = messages[0]
        if first.seq is not None:
            subscriber.behind[pipeline_id] = first.seq - 1
        elif first.type == "pipeline:summary":
            subscriber.behind[pipeline_id] = first.head_seq
        else:
            return
        self._on_behind(subscriber)

    def _burst(self, subscriber: Subscriber, messages: Sequence[Message]) -> Burst:
        if subscriber.redact:
            messages = [one.masked(self._redaction.event) for one in messages]
        if subscriber.batch:
            return Burst([batch_packet(subscriber.namespace, [one.body for one in messages])])
        return Burst([event_packet(subscriber.namespace, one.type, one.body) for one in messages])
