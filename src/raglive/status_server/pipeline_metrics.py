"""The state of pipelines as metrics, by type, or by pipeline if that is configured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from raglive.store.registry.pipeline_figures import PipelineFigures
from raglive_contract.errors import ErrorCode

__all__ = ["PipelineStateCollector"]

MAX_GROUPS = 200  # of types or of pipelines; the others share the label `other`
_CODES = frozenset(map(str, ErrorCode))

Labels = tuple[str, ...]


class PipelineStateCollector(Collector):
    """Reports the figures that were last assigned to `figures`.

    Every status server reports the same state: aggregate it with `max`, not with `sum`.
    """

    def __init__(self, *, by_pipeline: bool) -> None:
        self._by_pipeline = by_pipeline
        self.figures: list[PipelineFigures] = []

    def collect(self) -> Iterator[Any]:
        """Yield a gauge for each figure."""
        groups = _groups(self.figures, self._by_pipeline)
        names = ("type", "pipeline") if self._by_pipeline else ("type",)

        def family(
            name: str, meaning: str, values: Mapping[Labels, float], *labels: str
        ) -> GaugeMetricFamily:
            gauge = GaugeMetricFamily(f"raglive_{name}", meaning, labels=[*names, *labels])
            for key, value in values.items():
                gauge.add_metric(list(key), value)
            return gauge

        yield family("pipelines", "Pipelines", _tally(groups, _status), "status", "reason")
        yield family(
            "paused_pipelines",
            "Pipelines that claim no files for now",
            _tally(groups, lambda it: _code(it.paused_code)),
            "code",
        )
        yield family(
            "pipeline_problems",
            "Pipelines that an operator has to repair",
            _tally(groups, lambda it: _code(it.problem_code)),
            "code",
        )
        yield family("files", "Files by state", _sum_files(groups), "state")
        yield family(
            "oldest_queued_seconds",
            "Longest time that a due file has waited",
            _most(groups, lambda it: it.oldest_queued_seconds),
        )
        yield family(
            "last_check_seconds",
            "Longest time since the last full check of a source that is online",
            _most(groups, lambda it: it.last_check_seconds),
        )
        yield family(
            "embedding_budget_spent_ratio",
            "Largest share of an embedding budget that is spent",
            _most(groups, lambda it: it.spent_share),
        )


_Groups = list[tuple[Labels, PipelineFigures]]


def _groups(figures: Iterable[PipelineFigures], by_pipeline: bool) -> _Groups:
    known: set[Labels] = set()
    groups = []
    for one in figures:
        key: Labels = (one.pipeline_type, one.pipeline_id) if by_pipeline else (one.pipeline_type,)
        if key not in known and len(known) >= MAX_GROUPS:
            key = ("other",) * len(key)
        known.add(key)
        groups.append((key, one))
    return groups


def _status(one: PipelineFigures) -> Labels:
    return (one.status, one.offline_reason)


def _code(code: str | None) -> Labels | None:
    """Return a known code; producers of their own pipelines may report any text."""
    if code is None:
        return None
    return (code if code in _CODES else "other",)


def _tally(
    groups: _Groups, labels_of: Callable[[PipelineFigures], Labels | None]
) -> Mapping[Labels, float]:
    found = ((key, labels_of(one)) for key, one in groups)
    return Counter(key + labels for key, labels in found if labels is not None)


def _sum_files(groups: _Groups) -> Mapping[Labels, float]:
    counts: Counter[Labels] = Counter()
    for key, one in groups:
        for state, count in one.files.items():
            counts[(*key, state)] += count
    return counts


def _most(
    groups: _Groups, value_of: Callable[[PipelineFigures], float | None]
) -> Mapping[Labels, float]:
    most: dict[Labels, float] = {}
    for key, one in groups:
        if (value := value_of(one)) is not None:
            most[key] = max(value, most.get(key, 0.0))
    return most
