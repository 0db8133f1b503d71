"""Daily quotas of producers: events, bytes and new pipelines of all tokens of one subject.

The sums are in the database, so they hold across restarts and for all servers together. Each server
adds what it counted at most once a second. So a subject can exceed a quota by what the servers
accept within a second, and a server that is killed forgets what it counted in its last second.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field

from raglive.store.access.producer_usage import PublishedToday, add_usage
from raglive.store.errors import STORE_ERRORS
from raglive.store.pool import Database
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["ProducerQuotas"]

EXCHANGE_SECONDS = 1.0
SAVE_SECONDS = 2.0
MAX_SUBJECTS = 10_000
DAY_SECONDS = 86_400
SETTINGS = (
    "RAGLIVE_SUBJECT_EVENTS_PER_DAY",
    "RAGLIVE_SUBJECT_BYTES_PER_DAY",
    "RAGLIVE_SUBJECT_PIPELINES_PER_DAY",
)
NOTHING = PublishedToday()


@dataclass(slots=True)
class _Usage:
    """The sums when they were last read (`read_at`, monotonic), and what was counted since."""

    total: PublishedToday = NOTHING
    pending: PublishedToday = NOTHING
    day: int = 0  # since 1970
    read_at: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class ProducerQuotas:
    """Counts what subjects publish, and refuses what exceeds the quota of the day (UTC)."""

    def __init__(self, database: Database, quota: PublishedToday) -> None:
        self._database = database
        self._quota = quota
        self._usage: OrderedDict[str, _Usage] = OrderedDict()

    async def take(self, subject: str, more: PublishedToday) -> None:
        """Count a publication. Raises `limit_reached`, and the database's errors."""
        usage = self._usage.setdefault(subject, _Usage())
        self._usage.move_to_end(subject)
        if len(self._usage) > MAX_SUBJECTS:
            self._usage.popitem(last=False)
        async with usage.lock:
            await self._exchange(subject, usage)
            wanted = usage.total.plus(usage.pending).plus(more)
            for asked, sum_, most, setting in zip(more, wanted, self._quota, SETTINGS, strict=True):
                if asked and sum_ > most:
                    raise _exceeded(setting)
            usage.pending = usage.pending.plus(more)

    async def save(self) -> None:
        """Add what was counted since the last exchange, before the server ends."""
        with suppress(*STORE_ERRORS):
            async with asyncio.timeout(SAVE_SECONDS):
                for subject, usage in self._usage.items():
                    if usage.pending != NOTHING:
                        await add_usage(self._database, subject, usage.pending)

    async def _exchange(self, subject: str, usage: _Usage) -> None:
        now, day = time.monotonic(), int(time.time() // DAY_SECONDS)
        if day == usage.day and now - usage.read_at < EXCHANGE_SECONDS:
            return
        usage.total = await add_usage(self._database, subject, usage.pending)
        usage.pending, usage.day, usage.read_at = NOTHING, day, now


def _exceeded(setting: str) -> RagliveError:
    left = DAY_SECONDS - time.time() % DAY_SECONDS
    return RagliveError(
        "The token's subject has published as much as it may on one day (UTC). "
        f"The limit is {setting}.",
        code=ErrorCode.LIMIT_REACHED,
        retryable=True,
        retry_after_ms=1 + int(left * 1000),
    )
