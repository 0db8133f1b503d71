"""The text search configuration, by which texts are cut into words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from raglive_contract.errors import RagliveError

__all__ = ["configuration_explained"]


@contextmanager
def configuration_explained(config: str) -> Iterator[None]:
    """Say which setting is wrong when Postgres does not know the configuration."""
    try:
        yield
    except asyncpg.UndefinedObjectError as error:
        if "text search configuration" not in str(error):
            raise
        raise RagliveError(
            f"RAGLIVE_TEXT_SEARCH_CONFIG is {config!r}, which this database does not have. "
            "The table pg_ts_config lists what it has.",
            code="settings_invalid",
        ) from error
