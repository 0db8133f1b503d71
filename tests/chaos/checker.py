"""Checks a history against the final log: no event is lost, repeated, reordered or invented."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.chaos.history import Checkpoint, History, Run, Violation

__all__ = ["Log", "find_violations"]


@dataclass(frozen=True, slots=True)
class Log:
    """A pipeline's final log: event ids in order, and the digests from before the first on."""

    epoch: str
    ids: tuple[str, ...]
    digests: tuple[str, ...]


def find_violations(history: History, logs: Mapping[str, Log], viewers: Iterable[int]) -> list[str]:
    """List the violations in the order of the history."""
    violations = list(_producers(history, logs))
    for viewer in viewers:
        violations += [f"viewer {viewer}: {what}" for what in _viewer(history, logs, viewer)]
    return violations


def _producers(history: History, logs: Mapping[str, Log]) -> Iterator[str]:
    """Check that every acknowledged event is in the log once, in its producer's order."""
    acknowledged: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    for entry in history.acknowledged():
        acknowledged[entry.producer, entry.pipeline_id] += entry.ids
    for (producer, pipeline_id), ids in acknowledged.items():
        log, mine = logs.get(pipeline_id), set(ids)
        stored = [id_ for id_ in log.ids if id_ in mine] if log else []
        if stored != ids:
            yield (
                f"producer {producer}: {len(ids)} events of {pipeline_id} were acknowledged, and "
                f"{len(stored)} of them are in the log, or in another order"
            )


def _viewer(history: History, logs: Mapping[str, Log], viewer: int) -> Iterator[str]:
    latest: dict[str, Checkpoint | Run] = {}
    for entry in history.of_viewer(viewer):
        if isinstance(entry, Violation):
            yield entry.what
            continue
        log, before = logs.get(entry.pipeline_id), latest.get(entry.pipeline_id)
        if log is None or entry.epoch != log.epoch:
            yield f"there is no log {entry.epoch} of {entry.pipeline_id}"
            continue
        if isinstance(entry, Run):
            yield from _run(entry, _seq(before))
        elif before is not None and not _may_follow(before, entry):
            yield f"had {entry.pipeline_id} up to {_seq(before)}, but got checkpoint {entry.seq}"
        if _digest_at(log, _seq(entry)) != entry.digest:
            yield f"{entry.pipeline_id} up to {_seq(entry)} has other events than the log"
        latest[entry.pipeline_id] = entry
    for pipeline_id, log in logs.items():
        if _seq(latest.get(pipeline_id)) != len(log.ids):
            ended = _seq(latest.get(pipeline_id))
            yield f"ended at {ended} of {pipeline_id}, which ends at {len(log.ids)}"


def _run(run: Run, seq: int) -> Iterator[str]:
    if run.first > seq + 1:
        yield f"lost {seq + 1} to {run.first - 1} of {run.pipeline_id}"
    elif run.first <= seq:
        yield f"received {run.first} of {run.pipeline_id} again, after {seq}"


def _may_follow(before: Checkpoint | Run, following: Checkpoint) -> bool:
    """Check a checkpoint; a viewer without events may restart from the beginning."""
    return following.seq == _seq(before) or (isinstance(before, Checkpoint) and following.seq == 0)


def _seq(entry: Checkpoint | Run | None) -> int:
    if entry is None:
        return 0
    return entry.last if isinstance(entry, Run) else entry.seq


def _digest_at(log: Log, seq: int) -> str | None:
    return log.digests[seq] if seq < len(log.digests) else None
