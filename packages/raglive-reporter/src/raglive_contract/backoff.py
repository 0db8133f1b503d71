"""How long to pause before a retry: exponential back-off with jitter, and Retry-After."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["Backoff", "retry_after_seconds"]

MAX_DOUBLINGS = 30  # beyond, a float would overflow before the ceiling is applied


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that double from `first_seconds` to `longest_seconds`, each shortened by up to half.

    The jitter keeps clients that failed together from retrying together.
    """

    first_seconds: float
    longest_seconds: float

    def seconds(self, failures: int, asked_seconds: float | None = None) -> float:
        """Return the pause after `failures` earlier pauses, in seconds.

        It is at least `asked_seconds`, which is what the other side asked for (by `Retry-After`,
        say), but never longer than `longest_seconds`.
        """
        doubled = self.first_seconds * 2.0 ** min(failures, MAX_DOUBLINGS)
        ceiling = min(self.longest_seconds, doubled)
        drawn = random.uniform(ceiling / 2, ceiling)  # noqa: S311 - jitter, not a secret
        return max(drawn, min(asked_seconds or 0.0, self.longest_seconds))


def retry_after_seconds(header: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for, whether as a number or as a date.

    An absent or malformed header returns None; a date in the past returns 0.
    """
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
