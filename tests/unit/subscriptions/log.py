"""A pipeline's log in memory, as the hub reads it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

from raglive.status_server.subscriptions.messages import Message
from raglive.store.log.event_log import LoggedEvent
from raglive_contract.digest import EMPTY, roll

__all__ = ["durable", "heartbeat", "make_log", "progress"]


def make_log(length: int, size: int = 10) -> list[Message]:
    """Return a gapless log of update events of `size` letters."""
    log: list[Message] = []
    digest = EMPTY
    for seq in range(1, length + 1):
        event_id = uuid4()
        digest = roll(digest, event_id, seq)
        event: Any = {"id": str(event_id), "type": "status:update", "filler": "x" * size}
        log.append(Message.durable(LoggedEvent(seq, digest, 0.0, event, "{}")))
    return log


def durable(event_type: str, file_id: str, attempt: int | None) -> Message:
    event: Any = {"id": str(uuid4()), "type": event_type, "file": {"id": file_id}}
    if attempt is not None:
        event["attempt"] = attempt
    return replace(Message.durable(LoggedEvent(1, b"", 0.0, event, "{}")), seq=1)


def progress(file_id: str, attempt: int, done: float = 0.5) -> Message:
    return Message.conflated(
        {
            "type": "file:progress",
            "file": {"id": file_id},
            "attempt": attempt,
            "progress": done,
        }
    )


def heartbeat(head_seq: int) -> Message:
    return Message.conflated({"type": "heartbeat", "head_seq": head_seq})
