"""Tokens that were revoked before they expire; every server knows them after one poll.

Servers poll and do not listen for notifications: a poll is needed anyway where notifications do
not arrive, and this one is frequent enough.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from raglive.store.access.audit_log import append_entry
from raglive.store.errors import STORE_ERRORS
from raglive.store.log.pipeline_status import read_within
from raglive.store.pool import Database
from raglive.store.sql import load_queries

__all__ = ["Revocations", "revoke"]

log = structlog.get_logger()

_QUERIES = load_queries(__name__)

POLL_SECONDS = 0.25
READ_SECONDS = 5.0


class Revocations:
    """The revocations as last read; `changed` is called after each read that found new ones.

    While the database is unavailable, the last known revocations apply.
    """

    def __init__(self, database: Database, changed: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._changed = changed
        self._version: tuple[int, int] | None = None
        self._tokens: frozenset[str] = frozenset()
        self._subjects: dict[str, float] = {}

    async def run(self) -> None:
        """Poll until cancelled."""
        is_failing = False
        while True:
            try:
                await self.read()
                is_failing = False
            except STORE_ERRORS as error:
                if not is_failing:
                    log.warning("revocations_not_read", error=type(error).__name__)
                is_failing = True
            await asyncio.sleep(POLL_SECONDS)

    async def read(self) -> None:
        """Read the revocations if there are new ones; raise `DatabaseUnavailable`."""
        row = await read_within(READ_SECONDS, self._database.fetchrow(_QUERIES["version"]))
        assert row is not None, "an aggregate has a row"
        version = (row[0], row[1])
        if version == self._version:
            return
        rows = await read_within(READ_SECONDS, self._database.fetch(_QUERIES["revocations"]))
        self._tokens = frozenset(row["token_id"] for row in rows if row["token_id"] is not None)
        self._subjects = {
            row["subject"]: row["revoked_at"] for row in rows if row["subject"] is not None
        }
        self._version = version
        self._changed()

    @property
    def are_known(self) -> bool:
        """Whether they were read at least once; until then no token can be trusted."""
        return self._version is not None

    def cover(self, token_id: str | None, subject: str, issued_at: float) -> bool:
        """Return whether a token is revoked, itself or with its subject's earlier tokens.

        `issued_at` is in Unix seconds.
        """
        if token_id in self._tokens:
            return True
        return issued_at <= self._subjects.get(subject, float("-inf"))


async def revoke(
    database: Database,
    *,
    token_id: str | None = None,
    subject: str | None = None,
    revoked_by: str,
    reason: str | None = None,
) -> None:
    """Revoke one token by its id, or every token of a subject issued until now."""
    async with database.transaction() as connection:
        await connection.execute(_QUERIES["revoke"], token_id, subject, revoked_by, reason)
        detail = {"token_id": token_id, "subject": subject, "reason": reason}
        await append_entry(connection, revoked_by, "token_revoked", detail=detail)
