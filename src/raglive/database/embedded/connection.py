"""The first connection to a server that has started: whether it has what clients need."""

from __future__ import annotations

import asyncpg

from raglive.database.embedded.cluster import DATABASE, ROLE
from raglive.database.embedded.errors import EmbeddedPostgresError

__all__ = ["serves_clients"]

_EXTENSION_IS_CURRENT = """
SELECT installed_version = default_version FROM pg_available_extensions WHERE name = 'vector'
"""


async def serves_clients(host: str, port: int, password: str, seconds: float) -> bool:
    """Return whether the role can log in and finds the extension in its current version.

    Raises EmbeddedPostgresError if the database cannot be used for another reason.
    """
    try:
        connection = await asyncpg.connect(
            host=host, port=port, user=ROLE, database=DATABASE, password=password, timeout=seconds
        )
    except asyncpg.InvalidPasswordError:
        return False
    except (OSError, asyncpg.PostgresError) as error:
        raise EmbeddedPostgresError(
            f"The embedded database has started but refuses connections: {error}"
        ) from error
    try:
        return bool(await connection.fetchval(_EXTENSION_IS_CURRENT, timeout=seconds))
    finally:
        await connection.close(timeout=seconds)
