"""Bounds of the log: long values are cut, and lines of one kind that come in a flood are counted.

Anybody who reaches a port can cause lines: refused requests, hosts, origins, tokens and frames.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import structlog

__all__ = ["LineLimit", "cut", "cut_values"]

INTERVAL_SECONDS = 60.0
REFUSALS = 20  # lines of one kind in an interval: warnings, errors and refused requests
OTHERS = 600
MAX_KINDS = 500  # beyond them, all others are one kind
MAX_CHARACTERS = 500
_OMITTED = "log_lines_omitted"


def cut(text: str) -> str:
    """Cut a text that somebody else may have made long."""
    more = len(text) - MAX_CHARACTERS
    return text if more <= 0 else f"{text[:MAX_CHARACTERS]}... ({more} more characters)"


def cut_values(
    _logger: structlog.types.WrappedLogger, _method: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Cut every string of a line, also within lists and objects."""
    return {name: _cut_within(value) for name, value in event.items()}


def _cut_within(value: object) -> object:
    match value:
        case str():
            return cut(value)
        case dict():
            return {name: _cut_within(one) for name, one in value.items()}
        case list():
            return [_cut_within(one) for one in value]
    return value


Kind = tuple[object, ...]


class LineLimit:
    """Drops lines above the limit of their kind, and logs each minute how many those were.

    A kind is an event with its level and outcome. Works as a processor of structlog, and as a
    filter of a handler of `logging`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._lines: Counter[Kind] = Counter()
        self._omitted: Counter[Kind] = Counter()

    def __call__(
        self, _logger: structlog.types.WrappedLogger, method: str, event: structlog.types.EventDict
    ) -> structlog.types.EventDict:
        """Pass a line on. Raises `DropEvent` for one above the limit."""
        status, outcome = event.get("status"), event.get("outcome", "ok")
        is_error = isinstance(status, int) and status >= 400
        is_refusal = is_error or outcome != "ok" or method not in {"debug", "info"}
        kind = (event["event"], method, status, outcome)
        if event["event"] != _OMITTED and not self._has_room(kind, is_refusal=is_refusal):
            raise structlog.DropEvent
        return event

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line of a library is within the limit."""
        return self._has_room((record.name, record.levelname), is_refusal=True)

    def _has_room(self, kind: Kind, *, is_refusal: bool) -> bool:
        self._end_interval()
        if kind not in self._lines and len(self._lines) >= MAX_KINDS:
            kind = ("other",)
        self._lines[kind] += 1
        if self._lines[kind] <= (REFUSALS if is_refusal else OTHERS):
            return True
        if not self._omitted:
            self._end_interval_later()
        self._omitted[kind] += 1
        return False

    def _end_interval(self) -> None:
        if self._clock() - self._began < INTERVAL_SECONDS:
            return
        omitted, self._omitted = self._omitted, Counter()
        self._lines.clear()
        self._began = self._clock()
        log = structlog.get_logger()
        for kind, lines in omitted.items():
            of = " ".join(str(part) for part in kind if part not in {None, "ok"})
            log.warning(_OMITTED, of=of, lines=lines, within_seconds=INTERVAL_SECONDS)

    def _end_interval_later(self) -> None:
        """Report even if no other line follows; without an event loop, the next line does it."""
        with suppress(RuntimeError):
            loop = asyncio.get_running_loop()
            loop.call_later(self._began + INTERVAL_SECONDS - self._clock(), self._end_interval)
