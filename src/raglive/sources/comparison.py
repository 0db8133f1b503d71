"""How files of a source differ from the index, as `raglive verify --source` reports it."""

from __future__ import annotations

from dataclasses import dataclass, field

from raglive.store.index.verify import Disagreement

__all__ = ["SourceDifferences"]

NAMED = 3
_UNSEEN = "Wait until the pipeline has checked its source, and verify again. "


@dataclass(slots=True)
class SourceDifferences:
    """The names of files that differ.

    `missing` are in the source only, `left_over` in the index only, and `outdated` are in the index
    with an earlier content.
    """

    missing: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)

    def problems(self, pipeline_id: str, advice: str) -> list[Disagreement]:
        """Return one problem for each kind of difference; `advice` is for those that last."""
        kinds = (
            ("missing_in_index", "in the source, but not in the index", self.missing),
            ("not_in_source", "in the index, but no longer in the source", self.left_over),
            ("outdated_in_index", "in the index with an earlier content", self.outdated),
        )
        return [
            Disagreement(
                code=code,
                pipeline_id=pipeline_id,
                message=f"{len(names)} {where}: {_some(names)}.",
                action=f"{_UNSEEN}{advice}",
            )
            for code, where, names in kinds
            if names
        ]


def _some(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(sorted(names)[:NAMED]) + (f" and {more} more" if more > 0 else "")
