"""What keeps the watcher from seeing, said once where people look."""

from __future__ import annotations

from raglive.sources.google_drive.ledger import insist
from raglive.store.registry.pipelines import PipelineRecord

__all__ = ["Problem", "Problems"]

Problem = tuple[str, str]  # code and message

_CODE = "SELECT problem ->> 'code' FROM raglive.heads WHERE pipeline_key = $1"
_OWN = frozenset(
    {
        "auth_required",
        "deletions_held",
        "drive_cursor_lost",
        "drive_forbidden",
        "drive_listing_incomplete",
        "drive_not_found",
        "drive_rate_limited",
        "drive_unavailable",
        "settings_invalid",
        "watch_location_unavailable",
    }
)


class Problems:
    """Publishes the watcher's problems, and clears no one else's."""

    def __init__(self, record: PipelineRecord) -> None:
        self._record = record

    async def publish(self, problem: Problem | None) -> None:
        """Say what is wrong now, or that nothing is."""
        if problem is not None:
            await insist(lambda: self._record.set_problem(*problem), "publishing a problem")
        elif await insist(self._published, "reading a problem") in _OWN:
            await insist(self._record.clear_problem, "clearing a problem")

    async def _published(self) -> str | None:
        code: str | None = await self._record.database.fetchval(_CODE, self._record.key)
        return code
