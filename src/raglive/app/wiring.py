"""What every process needs to begin: settings, database, secret."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from raglive.settings import Settings
from raglive.store.migrate import check_schema
from raglive.store.pool import Database

__all__ = ["Wiring", "revealed"]


@dataclass(frozen=True, slots=True)
class Wiring:
    """The settings, the database's address, and the token secret."""

    settings: Settings
    dsn: str
    jwt_secret: str

    @asynccontextmanager
    async def database(self, name: str, max_size: int = 8) -> AsyncIterator[Database]:
        """Open the database; raise a `RagliveError` that says what to do when it cannot be used."""
        await check_schema(self.dsn)
        database = await Database.connect(self.dsn, name=name, max_size=max_size)
        try:
            yield database
        finally:
            await database.close()


def revealed(secret: SecretStr | None) -> str | None:
    """Return a secret as text; only what is about to use it may ask."""
    return None if secret is None else secret.get_secret_value()
