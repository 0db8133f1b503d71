"""Tokens that were taken back before their end: known to every server within a poll.

There is no notification: a poll is needed anyway, where notifications do not arrive, and at this
pace it is enough.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from raglive.store.access.audit_log import note_act
from raglive.store.errors import STORE_ERRORS
from raglive.store.log.pipeline_status import read_within
from raglive.store.pool import Database
from raglive.store.sql import load_queries

__all__ = ["Revocations", "revoke"]

log = structlog.get_logger()

_QUERIES = load_queries("access/access")

POLL_SECONDS = 0.25
READ_SECONDS = 5.0


class Revocations:
    """What is revoked, as it was last read; `changed` is called when there is more of it.

    While the database is away, what is known holds on.
    """

    def __init__(self, database: Database, changed: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._changed = changed
        self._mark: tuple[int, int] | None = None
        self._tokens: frozenset[str] = frozenset()
        self._subjects: dict[str, float] = {}

    async def run(self) -> None:
        """Read again and again, until cancelled."""
        is_away = False
        while True:
            try:
                await self.read()
                is_away = False
            except STORE_ERRORS as error:
                if not is_away:
                    log.warning("revocations_not_read", error=type(error).__name__)
                is_away = True
            await asyncio.sleep(POLL_SECONDS)

    async def read(self) -> None:
        """Read what is new; raise `DatabaseUnavailable`."""
        row = await read_within(READ_SECONDS, self._database.fetchrow(_QUERIES["revocations_mark"]))
        assert row is not None, "it counts"
        mark = (row[0], row[1])
        if mark == self._mark:
            return
        rows = await read_within(READ_SECONDS, self._database.fetch(_QUERIES["revocations"]))
        self._tokens = frozenset(row["token_id"] for row in rows if row["token_id"] is not None)
        self._subjects = {
            row["subject"]: row["revoked_at"] for row in rows if row["subject"] is not None
        }
        self._mark = mark
        self._changed()

    @property
    def are_known(self) -> bool:
        """Say whether they were read at all."""
        return self._mark is not None

    def cover(self, token_id: str | None, subject: str, issued_at: float) -> bool:
        """Say whether a token is revoked; `issued_at` in Unix seconds."""
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
    """Revoke one token by its id, or all of a subject that were issued until now."""
    async with database.transaction() as connection:
        await connection.execute(_QUERIES["revoke"], token_id, subject, revoked_by, reason)
        detail = {"token_id": token_id, "subject": subject, "reason": reason}
        await note_act(connection, revoked_by, "token_revoked", detail=detail)
