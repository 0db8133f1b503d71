"""Deletes the files that a full listing did not find, unless they are suspiciously many."""

from __future__ import annotations

import time
from dataclasses import asdict

import structlog

from raglive.sources.google_drive.plan_writer import MissingFiles
from raglive.sources.google_drive.registry_writer import DriveRegistry
from raglive.store.errors import retry_transient

__all__ = ["DriveDeletionGuard"]

log = structlog.get_logger()

# With more missing files than either limit, nothing is deleted until somebody approves it.
MAX_DELETED_FILES = 50
MAX_DELETED_SHARE = 0.2
CHECKED_BEFORE_HOLDING = 200
FILES_PER_TRANSACTION = 500


class DriveDeletionGuard:
    """Ends a full listing: requests each missing file, then deletes it or holds it back."""

    def __init__(self, registry: DriveRegistry) -> None:
        self._registry = registry

    async def end_full_listing(self) -> None:
        """Delete missing files within the limits, or all of them if somebody approved it.

        Every file is requested from Drive before it is deleted. Those that are in the watched
        folders remain.
        """
        registry = self._registry
        await registry.record_unseen()
        held = None if registry.state.deletions_approved else await self._to_hold()
        ended = {"in_full": False, "listed_at": time.time()}
        if held is not None:
            log.warning("deletions_held", **asdict(held))
            await registry.patch_state(ended | {"held": asdict(held)})
            return
        await registry.forget_unseen()
        await self._delete_missing()
        await registry.patch_state(ended | {"held": None, "deletions_approved": False})

    async def _to_hold(self) -> MissingFiles | None:
        """Return the missing files if they exceed the limits, None otherwise.

        Files that turn out to be in the watched folders do not count.
        """
        registry = self._registry
        total = await retry_transient(registry.tables.file_count, what="counting files")
        missing, sample = await retry_transient(
            lambda: registry.tables.missing_files(CHECKED_BEFORE_HOLDING),
            what="reading missing files",
        )
        if not _exceeds_limits(missing, total):
            return None
        present = len(await registry.present(await registry.fetch_states(sample)))
        if len(sample) == missing and not _exceeds_limits(missing - present, total):
            return None
        return MissingFiles(missing, len(sample), present)

    async def _delete_missing(self) -> None:
        registry = self._registry
        while missing := await self._some_missing():
            await registry.write(await registry.fetch_states(missing), requested=missing)

    async def _some_missing(self) -> list[str]:
        tables = self._registry.tables
        _, files = await retry_transient(
            lambda: tables.missing_files(FILES_PER_TRANSACTION), what="reading missing files"
        )
        return files


def _exceeds_limits(missing: int, total: int) -> bool:
    return missing > MAX_DELETED_FILES or missing > MAX_DELETED_SHARE * total
