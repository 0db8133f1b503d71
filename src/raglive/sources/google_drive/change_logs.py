"""Reads the change logs of the watched folders from their cursors to their ends."""

from __future__ import annotations

import structlog

from raglive.sources.google_drive.client import DriveClient
from raglive.sources.google_drive.errors import CursorLost
from raglive.sources.google_drive.registry_writer import DriveRegistry
from raglive.store.errors import retry_transient
from raglive_contract.errors import ErrorCode

__all__ = ["REFUSED_FOR_A_RIGHT", "ChangeLogReader"]

log = structlog.get_logger()

REFUSED_FOR_A_RIGHT = frozenset({ErrorCode.DRIVE_FORBIDDEN, ErrorCode.NO_DOWNLOAD_RIGHT})
"""Codes of files that are requested again when a change log mentions them, and every few hours."""


class ChangeLogReader:
    """Applies the changes of each log page by page, together with the cursor after the page."""

    def __init__(self, client: DriveClient, registry: DriveRegistry) -> None:
        self._client = client
        self._registry = registry

    async def read(self, logs: set[str]) -> bool:
        """Read these logs to their ends. Shared drives' logs have their id, the account's ''.

        Returns False if a cursor was lost, in which case a full listing has begun.
        """
        cursors = await retry_transient(self._registry.tables.cursors, what="reading cursors")
        new_cursors: dict[str, str] = {}
        for name in sorted(logs):
            try:
                await self._read(name, cursors[name])
            except CursorLost as error:
                log.warning("cursor_lost", log=name, message=error.message)
                new_cursors[name] = await self._client.start_token(name or None)
        if new_cursors:
            await self._registry.begin_full_listing(new_cursors)
        return not new_cursors

    async def _read(self, name: str, cursor: str) -> None:
        while True:
            page = await self._client.changes(cursor, name or None)
            if page.changes or page.cursor != cursor:
                states = {change.file_id: change.file for change in page.changes}
                await self._registry.requeue(REFUSED_FOR_A_RIGHT, states)
                await self._registry.write(
                    states, log=name, cursor=page.cursor, mentions_drives=page.mentions_drives
                )
            cursor = page.cursor
            if page.is_last:
                return
