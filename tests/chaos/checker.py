"""Whether a history can be: nothing lost, nothing twice, all in order, nothing that never was.

The log, as it stands in the end, is what is true.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.chaos.history import Fault, History, Run, Stand

__all__ = ["Log", "find_faults"]


@dataclass(frozen=True, slots=True)
class Log:
    """A pipeline's log: event ids in their order, and the digest after each, and before."""

    epoch: str
    ids: tuple[str, ...]
    digests: tuple[str, ...]


def find_faults(history: History, logs: Mapping[str, Log], viewers: Iterable[int]) -> list[str]:
    """Say what is wrong, in the order of the history; empty when nothing is."""
    faults = list(_producers(history, logs))
    for viewer in viewers:
        faults += [f"viewer {viewer}: {what}" for what in _viewer(history, logs, viewer)]
    return faults


def _producers(history: History, logs: Mapping[str, Log]) -> Iterator[str]:
    """What was acknowledged is in the log once, in the order of its producer."""
    told: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    for entry in history.acknowledged():
        told[entry.producer, entry.pipeline_id] += entry.ids
    for (producer, pipeline_id), ids in told.items():
        log, mine = logs.get(pipeline_id), set(ids)
        stored = [id_ for id_ in log.ids if id_ in mine] if log else []
        if stored != ids:
            yield (
                f"producer {producer}: {len(ids)} events of {pipeline_id} were acknowledged, and "
                f"{len(stored)} of them are in the log, or in another order"
            )


def _viewer(history: History, logs: Mapping[str, Log], viewer: int) -> Iterator[str]:
    stands: dict[str, Stand | Run] = {}
    for entry in history.of_viewer(viewer):
        if isinstance(entry, Fault):
            yield entry.what
            continue
        log, before = logs.get(entry.pipeline_id), stands.get(entry.pipeline_id)
        if log is None or entry.epoch != log.epoch:
            yield f"there is no log {entry.epoch} of {entry.pipeline_id}"
            continue
        if isinstance(entry, Run):
            yield from _run(entry, _seq(before))
        elif before is not None and not _may_follow(before, entry):
            yield f"had {entry.pipeline_id} up to {_seq(before)}, and was told {entry.seq}"
        if _digest_at(log, _seq(entry)) != entry.digest:
            yield f"{entry.pipeline_id} up to {_seq(entry)} is made of other events than the log"
        stands[entry.pipeline_id] = entry
    for pipeline_id, log in logs.items():
        if _seq(stands.get(pipeline_id)) != len(log.ids):
            ended = _seq(stands.get(pipeline_id))
            yield f"ended at {ended} of {pipeline_id}, which ends at {len(log.ids)}"


def _run(run: Run, stood: int) -> Iterator[str]:
    if run.first > stood + 1:
        yield f"lost {stood + 1} to {run.first - 1} of {run.pipeline_id}"
    elif run.first <= stood:
        yield f"received {run.first} of {run.pipeline_id} again, after {stood}"


def _may_follow(before: Stand | Run, told: Stand) -> bool:
    """Say whether a viewer may be told so; one that has received nothing may begin at the start."""
    return told.seq == _seq(before) or (isinstance(before, Stand) and told.seq == 0)


def _seq(entry: Stand | Run | None) -> int:
    if entry is None:
        return 0
    return entry.last if isinstance(entry, Run) else entry.seq


def _digest_at(log: Log, seq: int) -> str | None:
    return log.digests[seq] if seq < len(log.digests) else None
