"""How far the running attempts are: to the bus ten times a second, to the rows once a second."""

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
"""What part of an attempt's progress each stage is."""


@dataclass(slots=True)
class AttemptProgress:
    """The stage of an attempt, its progress, and how long its stages took."""

    job: Job
    stage: Stage = Stage.EXTRACTION
    progress: float = 0.0
    durations: dict[Stage, float] = field(default_factory=dict)
    changed: bool = False
    _begun: bool = False
    _since: float = field(default_factory=time.monotonic)

    def enter(self, stage: Stage, share: float = 0.0) -> None:
        """Note that `share` (0 to 1) of a stage is done; stages and progress never go back.

        What was before the first is no stage: the file waited for its turn to be read.
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
        """Begin at a stage: those before it were done by an earlier attempt."""
        self._begun, self._since = True, time.monotonic()
        self.stage = stage
        self.progress = SHARES[stage][0]
        self.changed = True

    def close_stage(self) -> None:
        """Note that the present stage has ended."""
        now = time.monotonic()
        self.durations[self.stage] = self.durations.get(self.stage, 0.0) + now - self._since
        self._since = now

    @property
    def seconds(self) -> float:
        """Return how long it has been at work."""
        return sum(self.durations.values()) + time.monotonic() - self._since

    def stages(self) -> list[dict[str, Any]]:
        """Return the wire form of the durations, in seconds."""
        return [
            {"stage": str(stage), "duration": round(seconds, 4)}
            for stage, seconds in self.durations.items()
        ]

    def event(self, pipeline_id: str, pipeline_type: str) -> dict[str, Any]:
        """Return the `file:progress` event."""
        return new_event(
            "file:progress",
            pipeline_id=pipeline_id,
            pipeline_type=pipeline_type,
            file={"id": self.job.file_id, "name": self.job.name},
            processing_stage=str(self.stage),
            progress=round(self.progress, 4),
            attempt=self.job.attempt,
        )
