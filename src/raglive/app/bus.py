"""Opens the bus that the settings choose, for processes that send or show conflated events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from raglive.app.installation import revealed
from raglive.bus.bus import Bus
from raglive.bus.postgres import PostgresBus
from raglive.settings import Settings
from raglive.store.origin import installation_id
from raglive.store.pool import Database
from raglive_contract.errors import ErrorCode, RagliveError

if TYPE_CHECKING:
    from raglive.bus.redis import RedisBus

__all__ = ["open_bus", "redis_support"]


@asynccontextmanager
async def open_bus(settings: Settings, database: Database) -> AsyncIterator[Bus]:
    """Open Postgres, or Redis with Postgres; raise `settings_invalid` without the package."""
    postgres = PostgresBus(database.dsn, listens=database.listens)
    bus: Bus = postgres
    url = revealed(settings.redis_url)
    if url is not None:
        over_redis, _ = redis_support()
        async with database.connection() as connection:
            installation = await installation_id(connection)
        bus = over_redis(url, installation, postgres)
    try:
        yield bus
    finally:
        await bus.close()


def redis_support() -> tuple[type[RedisBus], Callable[[str], Awaitable[str]]]:
    """Import the bus and its check; raise `settings_invalid` if the package is not installed."""
    try:
        from raglive.bus.redis import RedisBus  # noqa: PLC0415
        from raglive.bus.redis_client import check_redis  # noqa: PLC0415
    except ImportError:
        raise RagliveError(
            'REDIS_URL needs a package. Install it: pip install "raglive[redis]"',
            code=ErrorCode.SETTINGS_INVALID,
        ) from None
    return RedisBus, check_redis
