"""The audit of actions: subject, origin and outcome, in the log, metrics and monitoring room."""

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

__all__ = ["Audit", "ClientOrigin"]

log = structlog.get_logger()

MAX_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class ClientOrigin:
    """The origin of an action; `connection` is the session id in `namespace`."""

    address: str | None = None
    connection: str | None = None
    namespace: str | None = None


UNKNOWN_ORIGIN = ClientOrigin()


class Audit:
    """Writes audit events to the log, and passes them to `publish` for the monitoring room."""

    def __init__(self, metrics: StatusMetrics, publish: Callable[[AuditEvent], None]) -> None:
        self._metrics = metrics
        self._publish = publish
        self.refusals: Counter[str] = Counter()

    def record(
        self,
        action: str,
        identity: Identity | None = None,
        origin: ClientOrigin = UNKNOWN_ORIGIN,
        **detail: Any,
    ) -> None:
        """Record an action that succeeded."""
        self._record(action, "ok", identity, origin, detail)

    def record_refusal(
        self,
        action: str,
        error: RagliveError,
        identity: Identity | None = None,
        origin: ClientOrigin = UNKNOWN_ORIGIN,
        **detail: Any,
    ) -> None:
        """Record an action that was refused, and count it by its error code."""
        code = str(error.code)
        self.refusals[code] += 1
        self._metrics.refusals.labels(code).inc()
        self._record(action, code, identity, origin, {"message": error.message} | detail)

    def record_operator_action(
        self,
        actor: str,
        action: str,
        at: datetime,
        pipeline_id: str | None,
        detail: Mapping[str, Any],
    ) -> None:
        """Record what an operator did on the command line or the dashboard."""
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

    def _record(
        self,
        action: str,
        outcome: str,
        identity: Identity | None,
        origin: ClientOrigin,
        detail: Mapping[str, Any],
    ) -> None:
        known = {
            name: _short(value) if isinstance(value, str) else value
            for name, value in detail.items()
            if value is not None
        }
        self._write(
            AuditEvent(
                timestamp=datetime.now(UTC),
                action=action,
                outcome=outcome,
                subject=identity.subject if identity else None,
                token_id=_short(identity.token_id) if identity else None,
                address=_short(origin.address),
                connection=origin.connection,
                namespace=origin.namespace,
                detail=known or None,
            )
        )

    def _write(self, event: AuditEvent) -> None:
        log.info("audit", **(event.wire() | {"timestamp": None}))
        self._publish(event)


def _short(text: str | None) -> str | None:
    return None if text is None else text[:MAX_CHARACTERS]
