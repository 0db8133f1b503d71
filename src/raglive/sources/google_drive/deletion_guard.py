"""Deletes the files that a full listing did not find, unless they are suspiciously many."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence

import structlog

from raglive.sources.google_drive.drive_file import DriveFile
from raglive.sources.google_drive.registry_writer import DriveRegistry
from raglive.store.errors import retry_transient
from raglive.store.registry.files import GoneReason, KnownFile

__all__ = ["DriveDeletionGuard"]

log = structlog.get_logger()

# With more missing files than either limit, nothing is deleted until somebody approves it.
MAX_DELETED_FILES = 50
MAX_DELETED_SHARE = 0.2
FILES_PER_TRANSACTION = 1000


class DriveDeletionGuard:
    """Ends a full listing: checks each missing file, then deletes it or holds it back."""

    def __init__(self, registry: DriveRegistry) -> None:
        self._registry = registry

    async def end_full_listing(self) -> None:
        """Delete missing files within the limits, or all of them if somebody approved it.

        Every file below the limits is requested from Drive before it is deleted.
        """
        registry = self._registry
        await registry.recheck_unseen_targets()
        if registry.state.deletions_approved:
            await self._delete_approved()
        missing, unseen = await self._unseen()
        total = await retry_transient(registry.tables.file_count, what="counting files")
        ended = {"in_full": False, "listed_at": time.time(), "held": missing}
        if missing > MAX_DELETED_FILES or missing > MAX_DELETED_SHARE * total:
            log.warning("deletions_held", files=missing, of=total)
            await registry.patch_state(ended)
            return
        gone, alive = await self._verify(unseen)
        await registry.delete(gone)
        await registry.forget_unseen()
        if alive:
            await registry.write(alive)
        await registry.patch_state(ended | {"held": 0, "deletions_approved": False})

    async def _delete_approved(self) -> None:
        while unseen := (await self._unseen())[1]:
            await self._registry.delete({"removed": unseen})

    async def _unseen(self) -> tuple[int, list[KnownFile]]:
        registry = self._registry
        number = registry.state.number
        return await retry_transient(
            lambda: registry.tables.unseen_files(number, FILES_PER_TRANSACTION),
            what="reading missing files",
        )

    async def _verify(
        self, unseen: Sequence[KnownFile]
    ) -> tuple[dict[GoneReason, list[KnownFile]], dict[str, DriveFile | None]]:
        """Request missing files from Drive; return those that are gone, and those that are not."""
        gone: dict[GoneReason, list[KnownFile]] = defaultdict(list)
        alive: dict[str, DriveFile | None] = {}
        states = await self._registry.fetch_states([file.file_id for file in unseen])
        for file in unseen:
            state = states[file.file_id]
            if state is None:
                gone["removed"].append(file)
            elif state.trashed:
                gone["trashed"].append(file)
            else:
                alive[file.file_id] = state
        return gone, alive
