"""Verification."""

from __future__ import annotations

from raglive.app.wiring import Wiring
from raglive.database.verify import Disagreement, find_disagreements

__all__ = ["verify"]


async def verify(wiring: Wiring) -> list[Disagreement]:
    """Return what does not agree among registry, index and log."""
    async with wiring.database("verify", max_size=2) as database:
        return await find_disagreements(database)
