"""After any sequence of changes, the stored counts equal the number of rows."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raglive.store.index.verify import find_disagreements
from raglive.store.log.event_log import EventLog
from raglive.store.log.new_events import new_event_id
from raglive.store.log.pipeline_status import PipelineReads
from raglive.store.pool import Database
from raglive.store.registry.files import FileChanges, Registry
from raglive.store.registry.jobs import Job, Jobs, LeaseLost
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.model import rfc3339
from raglive_contract.snapshot import PipelineStatus
from raglive_contract.wire import NewEvent
from tests.integration.store.files import complete, failed, observed

STATES = ("queued", "processing", "completed", "failed", "skipped")
NAMES = st.sampled_from(["a", "b", "c", "d"])

steps = st.one_of(
    st.tuples(st.sampled_from(["found", "edited", "renamed", "removed", "reported"]), NAMES),
    st.tuples(st.sampled_from(["claimed", "released", "lost"]), st.integers(1, 3)),
    st.tuples(st.sampled_from(["completed", "failed", "retried", "given back"]), st.integers(0, 3)),
    st.tuples(
        st.sampled_from(["file:processing", "file:completed", "file:failed", "file:deleted"]),
        st.tuples(NAMES, st.integers(1, 4)),
    ),
)


class History:
    """The watcher and the worker of a pipeline, and an independent producer."""

    def __init__(self, pipeline: PipelineRecord) -> None:
        self._pipeline = pipeline
        self._registry = Registry(pipeline)
        self._jobs = Jobs(pipeline, "worker", 60)
        self._log = EventLog(pipeline.database)
        self._held: list[Job] = []

    async def do(self, what: str, which: Any) -> None:
        """Do one action; it has no effect if it is not possible now."""
        if what.startswith("file:"):
            await self._publish(what, *which)
        elif isinstance(which, str):
            await self._watch(what, which)
        elif what in {"claimed", "released", "lost"}:
            await self._lease(what, which)
        elif self._held:
            await self._end(what, self._held.pop(which % len(self._held)))

    async def _watch(self, what: str, name: str) -> None:
        known = [file for file in await self._registry.known() if file.file_id == f"id of {name}"]
        again = [(file, observed(name, file.source["version"] + 1)) for file in known]
        changes = {
            "found": FileChanges(new=[observed(name)]),
            "edited": FileChanges(changed=again),
            "renamed": FileChanges(moved=again),
            "removed": FileChanges(gone=known),
            "reported": FileChanges(),
        }
        await self._registry.apply(changes[what])

    async def _lease(self, what: str, limit: int) -> None:
        if what == "claimed":
            self._held += await self._jobs.claim(limit)
        else:
            await self._jobs.release_lost(["worker"] if what == "lost" else [])

    async def _end(self, what: str, job: Job) -> None:
        now = rfc3339(datetime.now(UTC))
        with suppress(LeaseLost):
            if what == "completed":
                await complete(self._jobs, job)
            elif what == "given back":
                await self._jobs.requeue(job, 0)
            else:
                ending = failed(next_attempt_at=now if what == "retried" else None)
                async with self._jobs.ending(job, ending):
                    pass

    async def _publish(self, event_type: str, name: str, attempt: int) -> None:
        now = rfc3339(datetime.now(UTC))
        file = {"id": f"id of {name}", "name": name}
        fields: dict[str, dict[str, Any]] = {
            "file:processing": {
                "file": file | {"started_at": now},
                "processing_stage": "chunking",
                "attempt": attempt,
            },
            "file:completed": {
                "file": file | {"completed_at": now},
                "results": {
                    "chunks_created": 1,
                    "embeddings_generated": 1,
                    "processing_duration": 1,
                    "content_length": 1,
                },
                "attempt": attempt,
            },
            "file:failed": {
                "file": file | {"failed_at": now},
                "error": {"type": "X", "code": "x", "message": "", "retryable": False},
                "attempt": attempt,
            },
            "file:deleted": {"file": file | {"deleted_at": now}, "reason": "removed"},
        }
        envelope = {"id": new_event_id(), "timestamp": now, "type": event_type}
        event = cast("NewEvent", envelope | fields[event_type])
        await self._log.publish(self._pipeline.pipeline_id, None, [event])


@settings(max_examples=40)
@given(st.lists(steps, min_size=1, max_size=25))
@pytest.mark.disagrees
async def test_counts_equal_the_number_of_rows(
    database: Database, history: list[tuple[str, Any]]
) -> None:
    pipeline = await PipelineRecord.register(database, f"p-{uuid4()}", "local_files")
    played = History(pipeline)
    for what, which in history:
        await played.do(what, which)
    rows = await database.fetch(
        "SELECT state, count(*) FROM raglive.files WHERE pipeline_key = $1 GROUP BY state",
        pipeline.key,
    )
    counted = {row["state"]: row["count"] for row in rows}
    snapshot = PipelineStatus.model_validate(await PipelineReads(database).snapshot(pipeline.key))
    counts = snapshot.counts.model_dump(exclude={"waiting"})
    assert counts == {state: counted.get(state, 0) for state in STATES}
    assert snapshot.counts.waiting <= snapshot.counts.queued
    assert len(snapshot.files_processing) == snapshot.counts.processing
    sound = {"counts_differ", "log_has_gaps", "digest_differs", "attempts_left_running"}
    found = await find_disagreements(database)
    assert [it for it in found if it.code in sound and it.pipeline_id == pipeline.pipeline_id] == []
