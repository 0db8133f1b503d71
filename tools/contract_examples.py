"""An example of every shape on the wire, with every field that it may have."""

from __future__ import annotations

from typing import Any

from tools.contract_event_examples import (
    EVENTS,
    SUBMITTED,
    at,
    described,
    failure,
    failures,
    results,
    status,
    throughput,
)

from raglive_contract import errors, http, monitoring, socket, summary
from raglive_contract.cursor import Position
from raglive_contract.model import WireModel
from raglive_contract.snapshot import PipelineStatus

__all__ = ["examples"]

CURSOR = str(Position("019a5c3e7f01b2c4", 42))
URL = "http://127.0.0.1:8103"
NAMESPACES = ["/google_drive", "/local_files"]


def examples() -> list[dict[str, Any]]:
    """Return each example as `{model, case, wire}`; `model` is its name in the schemas."""
    found: list[tuple[str, WireModel]] = [
        *((event.type, event) for event in EVENTS),
        *((f"publish {sent.events[0].type}", sent) for sent in SUBMITTED),
        ("whole", status()),
        ("new", _new_pipeline()),
        *_requests(),
        *_acks(),
        *_refusals(),
        *_answers(),
        *_listings(),
    ]
    return [
        {"model": type(shape).__name__, "case": case, "wire": shape.wire()} for case, shape in found
    ]


def _new_pipeline() -> PipelineStatus:
    """Return a status with no optional field."""
    return PipelineStatus.model_validate(
        {
            "pipeline_id": "google-drive-pipeline",
            "pipeline_type": "google_drive",
            "status": "offline",
            "files_processing": [],
            "files_completed": [],
            "files_failed": [],
            "total_processed": 0,
            "total_failed": 0,
            "counts": {},
            "cursor": str(Position("019a5c3e7f02d6e8", 0)),
            "digest": "",
        }
    )


def _requests() -> list[tuple[str, WireModel]]:
    made = {"client_id": "page-1", "status": "idle", "timestamp": at(9)}
    return [
        ("everything", socket.Subscribe()),
        (
            "one, resumed",
            socket.Subscribe(
                pipeline_id="local-files-pipeline",
                pipeline_type="local_files",
                cursor=CURSOR,
                batch=True,
                client_info={"page": "overview"},
            ),
        ),
        ("several", socket.Subscribe(pipeline_id=["local-files-pipeline", "s3-pipeline"])),
        ("administrators", socket.Subscribe(room="admin:monitoring")),
        ("everything", socket.Unsubscribe()),
        ("administrators", socket.Unsubscribe(room="admin:monitoring")),
        ("one", socket.Unsubscribe(pipeline_id="local-files-pipeline")),
        ("idle", socket.ClientStatus.model_validate(made)),
        ("new token", socket.AuthRefresh(token="header.payload.signature")),  # noqa: S106 - no token
        ("test", http.SocketTestRequest(pipelineType="google_drive")),
        ("first", http.SignInRequest(secret="the-one-time-secret")),  # noqa: S106 - no secret
        ("of one error", http.RetryRequest(code="embedding_unavailable")),
        ("named", http.RetryRequest(file_ids=["019a5c3e-7f01-7000-8000-000000000007"])),
    ]


def _acks() -> list[tuple[str, WireModel]]:
    joined = socket.SubscribedPipeline(
        pipeline_id="local-files-pipeline",
        snapshot=status(),
        cursor=status().cursor,
        digest=status().digest,
        recovered=True,
        replayed=3,
    )
    return [
        ("subscribe", socket.SubscribeAck(pipelines=[joined])),
        ("unsubscribe", socket.StillSubscribed(pipelines=["local-files-pipeline"])),
        ("client:status", socket.Acknowledged()),
        ("ping", socket.Bookmark(lag_ms=212.5)),
        ("ping, behind", socket.Bookmark(lag_ms=None)),
        ("publish", socket.PublishAck(cursor=CURSOR, accepted=2, duplicates=1)),
        ("events:batch", socket.EventsBatch(events=EVENTS[2:5])),
        ("server:draining", socket.ServerDraining(retry_in=1500)),
        ("pipeline:removed", socket.PipelineRemoved(pipeline_id="local-files-pipeline")),
        ("auth:expiring", socket.AuthExpiring.model_validate({"expires_at": at(600)})),
        ("server:closing", socket.ServerClosing(error=_closing())),
        *_monitoring(),
    ]


def _closing() -> errors.ErrorBody:
    return errors.ErrorBody(
        code="token_revoked", message="The token was revoked. Get a new one.", retryable=False
    )


def _monitoring() -> list[tuple[str, WireModel]]:
    audit = {
        "timestamp": at(1),
        "action": "connect",
        "outcome": "token_expired",
        "subject": "user-1",
        "token_id": "019a5c3e-7f01-7000-8000-000000000009",
        "address": "203.0.113.7",
        "connection": "Xa1b2c3",
        "namespace": "/local_files",
        "pipeline_id": "local-files-pipeline",
        "detail": {"message": "The token has expired."},
    }
    status = {
        "timestamp": at(1),
        "uptime": 12.5,
        "lag": 0.2,
        "connections": 3,
        "transports": 2,
        "by_namespace": {"/local_files": 3},
        "subscriptions": 4,
        "requests_per_second": 1.5,
        "events_per_second": 20.0,
        "refusals": {"token_expired": 1},
    }
    return [
        ("audit", monitoring.AuditEvent.model_validate(audit)),
        (
            "audit of little",
            monitoring.AuditEvent.model_validate(
                {"timestamp": at(2), "action": "token_revoked", "outcome": "ok"}
            ),
        ),
        ("monitoring:status", monitoring.MonitoringStatus.model_validate(status)),
    ]


def _refusals() -> list[tuple[str, WireModel]]:
    found: list[tuple[str, WireModel]] = []
    for code in sorted(errors.REFUSALS, key=list(errors.ErrorCode).index):
        error = errors.ErrorBody(
            code=code,
            message="What was wrong, and what to do about it.",
            retryable=code in {"rate_limited", "unavailable", "too_slow"},
            retry_after_ms=1000 if code == "rate_limited" else None,
            request_id="01K9J7Q0",
        )
        found.append((code, errors.ErrorResponse(error=error)))
    plain = errors.RagliveError(
        "The cursor cannot be read.", code=errors.ErrorCode.CURSOR_INVALID
    ).body()
    return [*found, ("subscribe", socket.Refused.model_validate({"error": plain}))]


def _answers() -> list[tuple[str, WireModel]]:
    place = {"url": URL, "path": "/socket.io", "namespaces": NAMESPACES}
    info = {
        "available": True,
        **place,
        "transports": ["websocket", "polling"],
        "version": "0.1.0",
        "health": "healthy",
        "latency": 1.25,
        "features": {
            "realtime_updates": True,
            "file_progress": True,
            "auto_reconnect": True,
            "fallback_polling": True,
        },
        "last_checked": at(9),
    }
    health = {"status": "healthy", "version": "0.1.0", "uptime": 12.5}
    services = {
        "database": {"status": "healthy", "latency": 0.4},
        "websocket": {"status": "healthy", "url": URL, "latency": 1.25, "connected_clients": 3},
        "rag_pipelines": {
            "local_files": {"status": "healthy", "state": "running", "last_heartbeat": at(8)}
        },
    }
    away = {
        "database": {"status": "unhealthy", "latency": None, "error": "It does not answer."},
        "websocket": {
            "status": "unhealthy",
            "url": URL,
            "latency": None,
            "connected_clients": None,
        },
        "rag_pipelines": {
            "local_files": {"status": "unhealthy", "state": "offline", "last_heartbeat": None}
        },
    }
    session = {"token": "a.b.c", "expires_at": at(300), "role": "viewer", "version": "0.1.0"}
    page = {"websocket": {**place, "every_pipeline": socket.EVERY_PIPELINE}, "may_operate": True}
    server = {"version": "0.1.0", "connected_clients": 3, "uptime": 12.5}
    trip = {"success": True, "latency": 4.5, "transport": "websocket", "timestamp": at(9)}
    return [
        ("one pipeline", _rag_status()),
        ("away", _rag_status(websocket_available=False, fallback_mode=True, status_details=None)),
        ("healthy", http.SocketInfo.model_validate(info)),
        ("away", http.SocketInfo.model_validate(info | {"available": False, "latency": None})),
        ("reached", _socket_test(trip | {"server_info": server, "error": None})),
        ("away", _socket_test({**dict.fromkeys(trip), "success": False, "timestamp": at(9)})),
        ("healthy", http.SystemHealth.model_validate(health | {"services": services} | _TIME)),
        ("away", http.SystemHealth.model_validate(health | {"services": away} | _TIME)),
        (
            "running",
            http.ServerHealth.model_validate(
                health
                | {"http_server": "running", "websocket_server": "running", "connected_clients": 3}
            ),
        ),
        ("queued again", http.RetryAnswer(requeued=3)),
        ("without a token", http.SystemState.model_validate(_TIME | {"status": "healthy"})),
        ("signed in", http.SignedIn.model_validate({"token": "a.b.c", "expires_at": at(300)})),
        ("viewer", http.Session.model_validate(session | page)),
        (
            "none",
            http.Session.model_validate(
                dict.fromkeys(session) | page | {"version": "0.1.0", "may_operate": False}
            ),
        ),
    ]


_TIME = {"timestamp": at(9)}


def _socket_test(found: dict[str, Any]) -> http.SocketTest:
    return http.SocketTest.model_validate({"server_info": None, "error": "Not reached.", **found})


def _rag_status(**changed: Any) -> http.RagStatus:
    whole = status().wire()
    pipeline = {
        "pipeline_id": "local-files-pipeline",
        "pipeline_type": "local_files",
        "server_status": "online",
        "last_heartbeat": at(8),
        "status_details": whole,
        "is_active": True,
        "summary": EVENTS[-1].wire(),
    }
    return http.RagStatus.model_validate(
        {
            "status": "online",
            "pipelines": [pipeline],
            "serverTime": at(9),
            "status_details": whole,
            "last_activity": at(7),
            "files_processing": whole["files_processing"],
            "files_completed": whole["files_completed"],
            "files_failed": whole["files_failed"],
            "websocket_available": True,
            "websocket_url": URL,
            "websocket_namespaces": NAMESPACES,
            "fallback_mode": False,
            "events": [event.wire() for event in EVENTS if hasattr(event, "seq")],
            "next_cursor": whole["cursor"],
            "up_to_date": True,
            "poll_after_ms": 2000,
        }
        | changed
    )


def _listings() -> list[tuple[str, WireModel]]:
    whole = status()
    moments = {"first_seen_at": at(0), "updated_at": at(6)}
    file = {
        **described(),
        **moments,
        "state": "completed",
        "standing": "completed",
        "processing_stage": None,
        "progress": None,
        "attempt": 2,
        "results": results(),
        "error": None,
        "reason": None,
        "started_at": at(4),
        "finished_at": at(6),
        "moved_at": None,
        "next_attempt_at": None,
    }
    usage = {"texts": 18, "tokens": 4200, "cost": 0.25}
    attempt = {
        "attempt": 1,
        "worker": "host:4711",
        "started_at": at(1),
        "finished_at": at(3),
        "outcome": "failed",
        "stages": [{"stage": "extraction", "duration": 0.25}],
        "error": failure(),
    }
    running = attempt | {"attempt": 2, "finished_at": None, "outcome": "running", "error": None}
    chunk = {"chunk_index": 0, "content": "Heat pumps move heat.", "page": 1}
    hit = {"score": 0.8125, "similarity": 0.75, "matched": ["text", "vector"], **chunk}
    hit |= {"snippet": "Heat pumps move heat.", "marks": [{"start": 0, "end": 4}]}
    hit |= {"file": _hit_file()}
    logged = [event for event in EVENTS if hasattr(event, "seq")]
    return [
        ("all", http.PipelineList(pipelines=[whole, _new_pipeline()], next=None, total=2)),
        ("a page", http.FilePage.model_validate({"files": [file], "next": "after", "total": 12})),
        (
            "tried twice",
            http.FileDetail.model_validate(
                {
                    "file": file,
                    "what_to_do": None,
                    "usage": usage,
                    "attempts": [attempt, running],
                    "chunks": [chunk],
                    "chunk_count": 18,
                }
            ),
        ),
        ("the last page", http.ChunkPage.model_validate({"chunks": [chunk], "next": None})),
        (
            "newest first",
            http.EventPage(
                events=logged[::-1], next=None, cursor=whole.cursor, digest=whole.digest
            ),
        ),
        ("by reason", http.FailureGroups.model_validate({"groups": failures()})),
        ("half an hour", summary.Throughput.model_validate(throughput())),
        ("found", http.SearchHit.model_validate(hit)),
        ("found", http.SearchAnswer.model_validate({"mode": "hybrid", "hits": [hit]})),
    ]


def _hit_file() -> dict[str, Any]:
    return {
        "id": "f-1",
        "name": "Manual.pdf",
        "folder": "manuals",
        "url": None,
        "mime_type": "application/pdf",
        "pipeline_id": "local-files-pipeline",
        "indexed_at": at(6),
    }
