"""Who did what, when, from where, and how it ended: into the log, the counts, and the room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from raglive.http_api.tokens import Identity
from raglive.status_server.metrics import StatusMetrics
from raglive_contract.errors import RagliveError
from raglive_contract.monitoring import AuditEvent

__all__ = ["Audit", "Place"]

log = structlog.get_logger()

MAX_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class Place:
    """Where something happened; the connection is that of a namespace, if there is one."""

    address: str | None = None
    connection: str | None = None
    namespace: str | None = None


NOWHERE = Place()


class Audit:
    """Takes down what happens at the door; `show` hands it to administrators who look on."""

    def __init__(self, metrics: StatusMetrics, show: Callable[[AuditEvent], None]) -> None:
        self._metrics = metrics
        self._show = show
        self.refusals: Counter[str] = Counter()

    def done(
        self,
        action: str,
        identity: Identity | None = None,
        place: Place = NOWHERE,
        **detail: Any,
    ) -> None:
        """Take down what somebody did."""
        self._note(action, "ok", identity, place, detail)

    def refused(
        self,
        action: str,
        error: RagliveError,
        identity: Identity | None = None,
        place: Place = NOWHERE,
        **detail: Any,
    ) -> None:
        """Take down what somebody was refused, and count it."""
        code = str(error.code)
        self.refusals[code] += 1
        self._metrics.refusals.labels(code).inc()
        self._note(action, code, identity, place, {"message": error.message} | detail)

    def acted(
        self,
        actor: str,
        action: str,
        at: datetime,
        pipeline_id: str | None,
        detail: Mapping[str, Any],
    ) -> None:
        """Take down what an operator did elsewhere."""
        self._write(
            AuditEvent(
                timestamp=at,
                action=action[:64],
                outcome="ok",
                subject=actor[:MAX_CHARACTERS],
                pipeline_id=pipeline_id,
                detail=dict(detail) or None,
            )
        )

    def _note(
        self,
        action: str,
        outcome: str,
        identity: Identity | None,
        place: Place,
        detail: Mapping[str, Any],
    ) -> None:
        said = {name: value for name, value in detail.items() if value is not None}
        self._write(
            AuditEvent(
                timestamp=datetime.now(UTC),
                action=action,
                outcome=outcome,
                subject=identity.subject if identity else None,
                token_id=_short(identity.token_id) if identity else None,
                address=_short(place.address),
                connection=place.connection,
                namespace=place.namespace,
                detail=said or None,
            )
        )

    def _write(self, event: AuditEvent) -> None:
        log.info("audit", **(event.wire() | {"timestamp": None}))
        self._show(event)


def _short(text: str | None) -> str | None:
    return None if text is None else text[:MAX_CHARACTERS]
