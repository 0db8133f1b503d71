from __future__ import annotations

from typing import Any

import pytest

from raglive.cli.tail import summary

STUCK = {"count": 1, "files": [{"id": "1", "name": "a.pdf", "stage": "embedding"}]}
LOST = {"count": 2, "files": [], "reason": "worker_lost"}
PAUSED = {"code": "x", "message": "All is spent.", "what_to_do": "Earn more.", "since": "now"}


def update(**changes: Any) -> dict[str, Any]:
    return {"type": "status:update", "changes": changes}


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (update(files_stuck=STUCK), "a.pdf stuck in embedding"),
        (
            update(files_requeued=LOST, asked_by="me"),
            "2 files queued again, because the worker was lost; asked by: me",
        ),
        (update(paused=PAUSED), "paused: All is spent. Earn more."),
        (update(paused=None, problem=None), "no longer paused; the problem is solved"),
        (update(weather={"wet": True}), "weather: {'wet': True}"),
        ({"type": "file:failed", "error": {"message": "It is damaged."}}, "It is damaged."),
        ({"type": "file:skipped", "reason": {"message": "It is empty."}}, "It is empty."),
        ({"type": "file:completed", "results": {"chunks_created": 1}}, "1 chunk"),
        ({"type": "file:processing", "attempt": 3}, "attempt 3"),
        ({"type": "file:processing", "attempt": 1}, ""),
        ({"type": "pipeline:offline", "reason": "normal_shutdown"}, "normal shutdown"),
    ],
)
def test_events_say_what_happened(event: dict[str, Any], text: str) -> None:
    assert summary(event) == text
