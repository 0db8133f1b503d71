from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console

from raglive.cli.status import print_status
from raglive_contract.http import RagStatus

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PROBLEM = (
    "The Google Drive folder 1h9RUo5QEGychpOlLNZAASCL8vp4cazTE is not there for this account. "
    "Share it with the account, or correct RAG_WATCH_FOLDER_ID."
)


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_nothing_is_cut_however_narrow_the_terminal(columns: int) -> None:
    out = io.StringIO()
    print_status(Console(file=out, width=columns, force_terminal=True, color_system=None), _found())
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    told = " ".join(" ".join(lines).split())
    assert "…" not in told
    assert "google-drive-pipeline" in lines[0 if columns < 100 else 1]
    assert f"google-drive-pipeline needs attention, for 60 s: {PROBLEM}" in told
    for state in ("queued", "processing", "completed", "failed", "skipped"):
        assert state in told
    assert "12345" in told


def _found() -> RagStatus:
    details: dict[str, Any] = {
        "pipeline_id": "google-drive-pipeline",
        "pipeline_type": "google_drive",
        "status": "online",
        "problem": {
            "code": "watch_location_unavailable",
            "message": PROBLEM,
            "since": NOW - timedelta(seconds=60),
        },
        "files_processing": [],
        "files_completed": [],
        "files_failed": [],
        "total_processed": 12345,
        "total_failed": 0,
        "counts": {"queued": 0, "processing": 0, "completed": 12345, "failed": 0, "skipped": 0},
        "cursor": "0",
        "digest": "",
    }
    pipeline = {
        "pipeline_id": "google-drive-pipeline",
        "pipeline_type": "google_drive",
        "server_status": "online",
        "last_heartbeat": NOW,
        "status_details": details,
        "is_active": True,
        "summary": {
            "id": UUID(int=1),
            "pipeline_id": "google-drive-pipeline",
            "pipeline_type": "google_drive",
            "timestamp": NOW,
            "head_seq": 0,
            "digest": "",
            "counts": details["counts"],
            "failures": [],
            "throughput": {
                "bucket_seconds": 60,
                "buckets": [],
                "estimate": {
                    "seconds_left": None,
                    "unknown_because": "nothing_to_do",
                    "files_left": 0,
                    "stages": [],
                },
                "usage": {"texts": 0, "tokens": 0, "cost": 0},
                "total_usage": {"texts": 0, "tokens": 0, "cost": 0},
                "budget": None,
            },
            "standings": [],
        },
    }
    return RagStatus.model_validate(
        {
            "status": "online",
            "pipelines": [pipeline],
            "serverTime": NOW,
            "status_details": None,
            "last_activity": None,
            "files_processing": [],
            "files_completed": [],
            "files_failed": [],
            "websocket_available": True,
            "websocket_url": "http://127.0.0.1:8103",
            "websocket_namespaces": [],
            "fallback_mode": False,
            "events": [],
            "next_cursor": "0",
            "up_to_date": True,
            "poll_after_ms": 1000,
        }
    )
