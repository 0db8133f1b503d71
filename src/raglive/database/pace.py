"""How long the rest will take, by how long each stage lately took."""

from __future__ import annotations

from typing import Any

import asyncpg

from raglive.contract.states import Stage

__all__ = ["estimate"]

FEWEST_FILES = 5
MEBIBYTE = 2**20


def estimate(pace: asyncpg.Record) -> dict[str, Any]:
    """Return the wire form of `Estimate` from a row of the query `pace`.

    What lies ahead is weighed half by its files and half by their bytes: small files cost what a
    file costs, and large ones what their bytes do.
    """
    stages = [
        {"stage": str(stage), "seconds_per_mebibyte": round(per_mebibyte, 4)}
        for stage in Stage
        if (per_mebibyte := _rate(pace, stage)) is not None
    ]
    why = _unknown(pace)
    return {
        "seconds_left": None if why else round(_seconds_left(pace), 1),
        "unknown_because": why,
        "files_left": pace["files_left"],
        "stages": stages,
    }


def _unknown(pace: asyncpg.Record) -> str | None:
    if pace["files_left"] == 0:
        return "nothing_to_do"
    if pace["status"] != "online":
        return "offline"
    if pace["paused"]:
        return "paused"
    return "too_few_completed" if pace["files"] < FEWEST_FILES else None


def _seconds_left(pace: asyncpg.Record) -> float:
    """Stages overlap, and so do files: what counts is how long any of them was at work."""
    span = max(pace["span"], 0.001)
    by_files = span * pace["files_left"] / pace["files"]
    if not pace["bytes"] or pace["sized_left"] < pace["files_left"]:
        return float(by_files)
    by_bytes = span * pace["bytes_left"] / pace["bytes"]
    return float((by_files + by_bytes) / 2)


def _rate(pace: asyncpg.Record, stage: Stage) -> float | None:
    seconds = pace["stages"].get(str(stage))
    if seconds is None or not pace["bytes"]:
        return None
    return float(max(0.0, seconds) * MEBIBYTE / pace["bytes"])
