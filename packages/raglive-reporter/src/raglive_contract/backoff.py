"""Exponential back-off with jitter: how long to wait before another attempt."""

from __future__ import annotations

import random
from dataclasses import dataclass

__all__ = ["Backoff"]

MAX_DOUBLINGS = 30  # beyond, a float would overflow before the ceiling is applied


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that double from `first_seconds` up to `longest_seconds`.

    Each is drawn from the upper half of its range, so that clients which failed together do not
    return together.
    """

    first_seconds: float
    longest_seconds: float

    def delay(self, failures: int, *, asked_seconds: float = 0.0) -> float:
        """Return the seconds to wait after the `failures`-th failure in a row, counted from 1.

        `asked_seconds` is a lower bound: what the other side asked for, by `Retry-After` say.
        """
        doublings = min(max(failures - 1, 0), MAX_DOUBLINGS)
        ceiling = min(self.longest_seconds, self.first_seconds * 2.0**doublings)
        return max(asked_seconds, random.uniform(ceiling / 2, ceiling))  # noqa: S311 - jitter
