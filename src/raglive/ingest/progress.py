"""The progress of an attempt: its stage, the share that is done, and the time of each stage."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from raglive.store.registry.jobs import Job
from raglive.store.registry.pipelines import new_event
from raglive_contract.states import Stage

__all__ = ["SHARES", "AttemptProgress"]

SHARES: dict[Stage, tuple[float, float]] = {
    Stage.EXTRACTION: (0.0, 0.4),
    Stage.CHUNKING: (0.4, 0.5),
    Stage.EMBEDDING: (0.5, 0.9),
    Stage.STORING: (0.9, 1.0),
}
"""The range of an attempt's progress that each stage covers."""


@dataclass(slots=True)
class AttemptProgress:
    """Stage, progress (0 to 1) and stage durations (seconds) of one attempt."""

    job: Job
    stage: Stage = Stage.EXTRACTION
    progress: float = 0.0
    durations: dict[Stage, float] = field(default_factory=dict)
    changed: bool = False
    _begun: bool = False
    _since: float = field(default_factory=time.monotonic)

    def enter(self, stage: Stage, share: float = 0.0) -> None:
        """Record that `share` (0 to 1) of a stage is done. Progress never decreases.

        The time before the first call counts for no stage: the file waited for an extractor.
        """
        if not self._begun:
            self._begun, self._since = True, time.monotonic()
        if stage is not self.stage:
            self.close_stage()
            self.stage = stage
        low, high = SHARES[stage]
        self.progress = max(self.progress, low + (high - low) * share)
        self.changed = True

    def resume(self, stage: Stage) -> None:
        """Start at a stage because an earlier attempt completed those before it."""
        self._begun, self._since = True, time.monotonic()
        self.stage = stage
        self.progress = SHARES[stage][0]
        self.changed = True

    def close_stage(self) -> None:
        """Add the time since the last call to the current stage."""
        now = time.monotonic()
        self.durations[self.stage] = self.durations.get(self.stage, 0.0) + now - self._since
        self._since = now

    @property
    def seconds(self) -> float:
        """Duration of the attempt so far."""
        return sum(self.durations.values()) + time.monotonic() - self._since

    def stages(self) -> list[dict[str, Any]]:
        """Return the durations in seconds as events carry them."""
        return [
            {"stage": str(stage), "duration": round(seconds, 4)}
            for stage, seconds in self.durations.items()
        ]

    def event(self, pipeline_id: str, pipeline_type: str) -> dict[str, Any]:
        """Return a `file:progress` event."""
        return new_event(
            "file:progress",
            pipeline_id=pipeline_id,
            pipeline_type=pipeline_type,
            file={"id": self.job.file_id, "name": self.job.name},
            processing_stage=str(self.stage),
            progress=round(self.progress, 4),
            attempt=self.job.attempt,
        )
