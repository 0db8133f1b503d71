"""The figures of all pipelines that monitoring watches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from raglive.store.accounting.spending import budgets
from raglive.store.pool import Database
from raglive.store.sql import load_queries

__all__ = ["PipelineFigures", "pipeline_figures"]

_QUERIES = load_queries(__name__)


@dataclass(frozen=True, slots=True)
class PipelineFigures:
    """One pipeline: its state, files by standing, ages in seconds, and the budget's spent share.

    Values that do not apply are None.
    """

    pipeline_id: str
    pipeline_type: str
    status: str
    offline_reason: str
    paused_code: str | None
    problem_code: str | None
    files: Mapping[str, int]
    oldest_queued_seconds: float | None
    last_check_seconds: float | None
    spent_share: float | None


async def pipeline_figures(database: Database) -> list[PipelineFigures]:
    """Read the figures of every pipeline, the oldest pipeline first."""
    rows = await database.fetch(_QUERIES["figures"])
    shares = {
        key: budget["spent"] / budget["amount"]
        for key, budget in (await budgets(database, [row["pipeline_key"] for row in rows])).items()
    }
    return [
        PipelineFigures(
            row["pipeline_id"],
            row["pipeline_type"],
            row["status"],
            row["offline_reason"],
            row["paused_code"],
            row["problem_code"],
            {
                "queued": row["queued"] - row["waiting"],
                "waiting": row["waiting"],
                "processing": row["processing"] - row["stuck"] - row["lost"],
                "stuck": row["stuck"],
                "lost": row["lost"],
                **{state: row[state] for state in ("completed", "failed", "skipped")},
            },
            row["oldest_queued_seconds"],
            row["last_check_seconds"],
            shares.get(row["pipeline_key"]),
        )
        for row in rows
    ]
