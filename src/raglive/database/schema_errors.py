"""What stands in the way of making the schema, said so that it can be moved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from raglive.contract.errors import RagliveError

__all__ = ["MigrationError", "schema_errors_explained"]

_IN_THE_WAY = (
    asyncpg.DuplicateObjectError,
    asyncpg.DuplicateTableError,
    asyncpg.DuplicateFunctionError,
)


class MigrationError(RagliveError):
    """The schema of the database is not the one this version works with."""

    code = "schema_mismatch"


@contextmanager
def schema_errors_explained() -> Iterator[None]:
    """Raise `MigrationError` for whatever the server says against the schema."""
    try:
        yield
    except asyncpg.LockNotAvailableError as error:
        raise MigrationError(
            "Another session holds a lock that the migration needs. Nothing was changed: try "
            "again when long transactions on raglive's tables have ended.",
            retryable=True,
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise MigrationError(
            f"The database user may not make the schema: {error}. Use the database's owner, and "
            "have the extension `vector` created by whoever may."
        ) from error
    except (asyncpg.FeatureNotSupportedError, asyncpg.UndefinedFileError) as error:
        raise MigrationError(
            f"The database server lacks what raglive needs: {error}. It must be Postgres 15 or "
            "newer with pgvector installed."
        ) from error
    except _IN_THE_WAY as error:
        raise MigrationError(
            f"Something that raglive did not make is in the way: {error}. "
            "Rename it, or give raglive a database of its own."
        ) from error
