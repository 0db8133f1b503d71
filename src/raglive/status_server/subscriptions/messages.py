"""An event on its way to viewers, encoded once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from raglive.store.log.event_log import LoggedEvent

__all__ = ["Message"]


@dataclass(slots=True)
class Message:
    """An event's type and its JSON; a conflated one has no seq, a heartbeat names the head."""

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

    def masked(self, mask: Callable[[dict[str, Any]], dict[str, Any]]) -> Message:
        """Return the message with its event masked; once made, it is kept beside this one."""
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
            (event.get("file") or {}).get("id"),
            event.get("attempt") or 0,
            occurred_at=logged.occurred_at,
        )

    @classmethod
    def conflated(cls, event: Mapping[str, Any]) -> Message:
        """Encode an event of which only the latest value counts; raise ValueError for another."""
        kind, file = event.get("type"), event.get("file", {})
        file_id = file.get("id") if isinstance(file, dict) else None
        attempt, head_seq = event.get("attempt", 0), event.get("head_seq", 0)
        numbers = isinstance(attempt, int) and isinstance(head_seq, int)
        named = kind == "heartbeat" or (kind == "file:progress" and isinstance(file_id, str))
        if not isinstance(kind, str) or not named or not numbers:
            raise ValueError(f"not a conflated event: {str(kind)[:64]!r}")
        return cls(
            kind,
            orjson.dumps(event),
            file_id=file_id,
            attempt=attempt,
            head_seq=head_seq,
        )


def _compact(event: Mapping[str, Any]) -> bytes:
    """Return an event's JSON in memory of its own size: orjson's own answer takes 4 KB at least."""
    return bytes(memoryview(orjson.dumps(event)))
