"""Publishes in the pipeline's status what prevents its watcher from seeing the source."""

from __future__ import annotations

from typing import NamedTuple

from raglive.store.errors import retry_transient
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.errors import ErrorCode

__all__ = ["ProblemPublisher", "WatcherProblem"]

_WATCHER_CODES = frozenset(
    {
        ErrorCode.AUTH_REQUIRED,
        "deletions_held",
        ErrorCode.DRIVE_CURSOR_LOST,
        ErrorCode.DRIVE_DISABLED,
        ErrorCode.DRIVE_FORBIDDEN,
        ErrorCode.DRIVE_LISTING_INCOMPLETE,
        ErrorCode.DRIVE_NOT_FOUND,
        ErrorCode.DRIVE_RATE_LIMITED,
        ErrorCode.DRIVE_REFUSED,
        ErrorCode.DRIVE_UNAVAILABLE,
        "folder_unreadable",
        "settings_invalid",
        ErrorCode.WATCH_LOCATION_UNAVAILABLE,
    }
)


class WatcherProblem(NamedTuple):
    """An error code, and a message that says what to do."""

    code: str
    message: str


class ProblemPublisher:
    """Publishes the watcher's current problem, and clears it, but never another component's."""

    def __init__(self, record: PipelineRecord) -> None:
        self._record = record

    async def publish(self, problem: WatcherProblem | None) -> None:
        """Publish the current problem, or clear the last one of the watcher if there is none.

        Raises `DatabaseUnavailable` after a minute.
        """
        if problem is not None:
            await retry_transient(
                lambda: self._record.set_problem(*problem), what="publishing a problem"
            )
        elif await self._published_code() in _WATCHER_CODES:
            await retry_transient(self._record.clear_problem, what="clearing a problem")

    async def _published_code(self) -> str | None:
        return await retry_transient(self._record.problem_code, what="reading the problem")
