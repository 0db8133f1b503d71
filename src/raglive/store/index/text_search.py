"""The text search configuration of Postgres, which splits texts into words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["explain_configuration_errors"]


@contextmanager
def explain_configuration_errors(config: str) -> Iterator[None]:
    """Turn the error for an unknown configuration into one that names the setting to change."""
    try:
        yield
    except asyncpg.UndefinedObjectError as error:
        if "text search configuration" not in str(error):
            raise
        raise RagliveError(
            f"RAGLIVE_TEXT_SEARCH_CONFIG is {config!r}, which this database does not have. "
            "The table pg_ts_config lists what it has.",
            code=ErrorCode.SETTINGS_INVALID,
        ) from error
