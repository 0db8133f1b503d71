"""What keeps the watcher from seeing, said once where people look."""

from __future__ import annotations

from pathlib import Path

from raglive.sources.local_files.inspection import Findings
from raglive.sources.local_files.location import readable
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.errors import RagliveError

__all__ = ["Problem", "Problems", "problem_in", "silent", "unavailable"]

Problem = tuple[str, str]  # code and message

_OWN = frozenset({"watch_location_unavailable", "deletions_held", "folder_unreadable"})
_CODE = "SELECT problem ->> 'code' FROM raglive.heads WHERE pipeline_key = $1"


class Problems:
    """Publishes the watcher's problems, and clears no one else's."""

    def __init__(self, record: PipelineRecord) -> None:
        self._record = record

    async def publish(self, problem: Problem | None) -> None:
        """Say what is wrong now, or that nothing is."""
        if problem is not None:
            await self._record.set_problem(*problem)
        elif await self._record.database.fetchval(_CODE, self._record.key) in _OWN:
            await self._record.clear_problem()


def problem_in(findings: Findings, folder: Path) -> Problem | None:
    """Return what somebody should see to."""
    if findings.held:
        return ("deletions_held", _of_held(findings, folder))
    unreadable = sorted(findings.unseen.items())
    if unreadable and not findings.met_link:
        return ("folder_unreadable", _of_unreadable(unreadable, folder))
    return None


def unavailable(error: RagliveError) -> Problem:
    """Return the problem of a watched folder that is not there."""
    return (
        "watch_location_unavailable",
        f"{error.message} Until then nothing is deleted from the index.",
    )


def _of_held(findings: Findings, folder: Path) -> str:
    count = len(findings.held)
    files = "1 file is" if count == 1 else f"{count} files are"
    example = readable(findings.held[0].location)
    return (
        f"{files} missing below {folder}, among them {example}, and the disk or folder that held "
        "them is not the one that is there now. Nothing was deleted from the index. Mount or "
        "restore it; or, if they are meant to be gone, run `raglive pipeline approve`."
    )


def _of_unreadable(unreadable: list[tuple[str, str]], folder: Path) -> str:
    place, reason = unreadable[0]
    more = f" and {len(unreadable) - 1} more places" if len(unreadable) > 1 else ""
    return (
        f"{readable(f'{folder}/{place}')}{more} cannot be read: {reason}. What is known from there "
        "stays in the index. Give the pipeline the right to read it, or leave it out with "
        "RAGLIVE_IGNORE_PATTERNS."
    )


def silent(folder: Path) -> Problem:
    """Return the problem of a file system that does not answer."""
    return (
        "watch_location_unavailable",
        f"{folder} does not answer. Check its disk or network; nothing is deleted from the index.",
    )
