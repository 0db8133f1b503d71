"""The fields that every new event has, and the event for any other change of a pipeline."""

from __future__ import annotations

from uuid6 import uuid7

from raglive_contract.model import now
from raglive_contract.wire import NewStatusUpdate

__all__ = ["new_event_id", "status_update"]


def new_event_id() -> str:
    """Return a UUIDv7: an event is appended once for each id."""
    return str(uuid7())


def status_update(changes: dict[str, object]) -> NewStatusUpdate:
    """Make a `status:update` of this moment; the log adds the status after it."""
    return NewStatusUpdate(
        id=new_event_id(), timestamp=now(), type="status:update", changes=changes
    )
