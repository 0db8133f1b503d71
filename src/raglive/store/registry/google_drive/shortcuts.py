"""Shortcuts to files, and when the state of their targets has to be requested."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from raglive.store.pool import Connection
from raglive.store.registry.google_drive.rows import PipelineTable, Shortcut, affected_rows
from raglive.store.sql import load_queries

__all__ = ["ShortcutTable"]

_QUERIES = load_queries(__name__)


class ShortcutTable(PipelineTable):
    """The shortcuts of one pipeline."""

    async def put_shortcuts(self, connection: Connection, shortcuts: Sequence[Shortcut]) -> None:
        """Add or update shortcuts, with targets to be requested."""
        if shortcuts:
            await connection.execute(
                _QUERIES["put_shortcuts"],
                self._key,
                [shortcut.shortcut_id for shortcut in shortcuts],
                [shortcut.parent_id for shortcut in shortcuts],
                [shortcut.target_id for shortcut in shortcuts],
            )

    async def remove_shortcuts(
        self, connection: Connection, shortcuts: Collection[str], folders: Collection[str]
    ) -> list[str]:
        """Delete shortcuts and those in these folders; return their targets."""
        rows = await connection.fetch(
            _QUERIES["remove_shortcuts"], self._key, list(shortcuts), list(folders)
        )
        return [row["target_id"] for row in rows]

    async def uncheck_left(self, connection: Connection, folders: Collection[str]) -> None:
        """Request targets again that are in folders which left the scope."""
        await connection.execute(_QUERIES["uncheck_left"], self._key, list(folders))

    async def uncheck_unseen(self, connection: Connection, listing: int) -> None:
        """Request targets again that a full listing did not find."""
        await connection.execute(_QUERIES["uncheck_unseen"], self._key, listing)

    async def uncheck_outside(self, connection: Connection, limit: int | None) -> None:
        """Request at most `limit` targets outside the watched folders again; None for all."""
        await connection.execute(_QUERIES["uncheck_outside"], self._key, limit)

    async def save_target_drives(self, connection: Connection, drives: Mapping[str, str]) -> bool:
        """Save the shared drive of targets, empty for none; return whether one changed."""
        targets, names = list(drives), list(drives.values())
        status = await connection.execute(_QUERIES["save_target_drives"], self._key, targets, names)
        return affected_rows(status) > 0

    async def target_drives(self) -> list[str]:
        """Return the shared drives of targets; an empty string stands for none."""
        rows = await self._record.database.fetch(_QUERIES["target_drives"], self._key)
        return [row["drive"] for row in rows]

    async def all_targets(self) -> set[str]:
        """Return the ids of every shortcut's target."""
        rows = await self._record.database.fetch(_QUERIES["all_targets"], self._key)
        return {row["target_id"] for row in rows}

    async def unchecked(self, limit: int) -> list[str]:
        """Return targets that have to be requested."""
        rows = await self._record.database.fetch(_QUERIES["unchecked"], self._key, limit)
        return [row["target_id"] for row in rows]

    async def checked(self, connection: Connection, targets: Collection[str]) -> None:
        """Record that targets were requested."""
        await connection.execute(_QUERIES["checked"], self._key, list(targets))
