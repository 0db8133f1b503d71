"""An event as it is sent to viewers, encoded once for all of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace

import orjson

from raglive.store.log.event_log import LoggedEvent
from raglive_contract.wire import WireDurableEvent, WireEvent, WirePipelineSummary

__all__ = ["Message", "encode_in_slices"]

SLICE_BYTES = 256 * 1024


@dataclass(slots=True)
class Message:
    """An event's type and its JSON, with what the hub needs to know of it.

    A conflated event has no seq. `head_seq` is the seq up to which a viewer must have been sent
    the durable events before a heartbeat, or was sent them before a summary.
    """

    type: str
    body: bytes
    seq: int | None = None
    digest: bytes = b""
    event_id: str = ""
    file_id: str | None = None
    attempt: int = 0
    head_seq: int = 0
    occurred_at: float = 0.0  # seconds since 1970
    _masked: Message | None = field(default=None, repr=False, compare=False)

    def masked(self, mask: Callable[[WireEvent], WireEvent]) -> Message:
        """The message with its event masked; it is computed once and cached."""
        if self._masked is None:
            self._masked = replace(self, body=_compact(mask(orjson.loads(self.body))))
        return self._masked

    @classmethod
    def durable(cls, logged: LoggedEvent) -> Message:
        """Encode an event of the log."""
        event = logged.event
        return cls(
            event["type"],
            _compact(event),
            logged.seq,
            logged.digest,
            event["id"],
            event["file"]["id"] if "file" in event else None,
            _attempt(event),
            occurred_at=logged.occurred_at,
        )

    @classmethod
    def summary(cls, event: WirePipelineSummary, head_seq: int) -> Message:
        """Encode a summary for viewers that were sent the events up to `head_seq`."""
        body = _compact(event)
        return cls("pipeline:summary", body, event_id=event["id"], head_seq=head_seq)

    @classmethod
    def conflated(cls, event: Mapping[str, object]) -> Message:
        """Encode progress or a heartbeat; raise ValueError for any other event."""
        kind, file = event.get("type"), event.get("file", {})
        file_id = file.get("id") if isinstance(file, dict) else None
        attempt, head_seq = event.get("attempt", 0), event.get("head_seq", 0)
        named = kind == "heartbeat" or (kind == "file:progress" and isinstance(file_id, str))
        if not (
            isinstance(kind, str)
            and named
            and isinstance(attempt, int)
            and isinstance(head_seq, int)
        ):
            raise ValueError(f"not a conflated event: {str(kind)[:64]!r}")
        return cls(
            kind,
            orjson.dumps(event),
            file_id=file_id,
            attempt=attempt,
            head_seq=head_seq,
        )


async def encode_in_slices(
    events: list[LoggedEvent],
) -> AsyncIterator[tuple[list[LoggedEvent], list[Message]]]:
    """Encode events of the log; other tasks run after each quarter of a megabyte.

    `events` is emptied: to free many large events at once would hold the event loop.
    """
    rest = deque(events)
    events.clear()
    while rest:
        part: list[LoggedEvent] = []
        messages: list[Message] = []
        size = 0
        while rest and size < SLICE_BYTES:
            part.append(rest.popleft())
            messages.append(Message.durable(part[-1]))
            size += len(messages[-1].body)
        yield part, messages
        if rest:
            await asyncio.sleep(0)


def _attempt(event: WireDurableEvent) -> int:
    return event["attempt"] if "attempt" in event else 0  # noqa: SIM401 - `get` loses the type


def _compact(event: WireEvent) -> bytes:
    """Encode an event in memory of its own size: a buffer of orjson has at least 4 KB."""
    return bytes(memoryview(orjson.dumps(event)))
