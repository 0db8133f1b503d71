"""Revisions of pipelines, and the token `seen`: which of them a caller of `/api/rag-status` has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self
from zlib import crc32

from raglive.store.log.pipeline_status import PipelineRow
from raglive.store.log.pipeline_summary import Summary
from raglive_contract.cursor import Cursor
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["NOT_SENT", "SEEN_PATTERN", "SeenPipelines", "is_silent", "revision", "volatile"]

DIGITS = 8
NOT_SENT = "0" * DIGITS
SEEN_PATTERN = rf"^([0-9a-z]{{1,32}}\.([0-9a-f]{{{DIGITS}}})+)?$"
_FORM = re.compile(SEEN_PATTERN)


@dataclass(frozen=True, slots=True)
class SeenPipelines:
    """The revision of each pipeline that a caller has, by epoch, and the epoch that was sent last.

    The token is `<last epoch>.<revisions>`: one revision of eight digits for each position of the
    cursor with which it was sent, in the cursor's order. Any server can read it, also after a
    restart.
    """

    revisions: Mapping[str, str] = field(default_factory=dict)
    last: str = ""

    @classmethod
    def parse(cls, token: str, cursor: Cursor) -> Self:
        """Read a token; raise `invalid_request` if it was not sent with this cursor.

        An empty token means that the caller has no pipeline yet.
        """
        last, _, text = token.partition(".")
        epochs = sorted(cursor.positions) if token else []
        if not _FORM.match(token) or len(text) != len(epochs) * DIGITS:
            raise RagliveError(
                "`seen` does not belong to the cursor. Pass `next_cursor` and `seen` of the same "
                "answer exactly as they were received, or an empty `seen`.",
                code=ErrorCode.INVALID_REQUEST,
            )
        starts = range(0, len(text), DIGITS)
        codes = (text[start : start + DIGITS] for start in starts)
        return cls(dict(zip(epochs, codes, strict=True)), last)

    def __str__(self) -> str:
        if not self.revisions:
            return ""
        codes = "".join(self.revisions[epoch] for epoch in sorted(self.revisions))
        return f"{self.last or min(self.revisions)}.{codes}"

    def in_turn(self, rows: Iterable[PipelineRow]) -> list[PipelineRow]:
        """Sort pipelines so that those follow that come after the last one that was sent.

        Pipelines that change all the time therefore do not keep others from being sent.
        """
        return sorted(rows, key=lambda row: (row.head.epoch <= self.last, row.head.epoch))


def revision(row: PipelineRow, summary: Summary | None, stale_seconds: float) -> str:
    """Compute a checksum that differs if a pipeline has to be shown differently."""
    told = (row.head.epoch, row.head.seq, volatile(row, summary, stale_seconds))
    return f"{crc32(repr(told).encode()):0{DIGITS}x}"


def volatile(row: PipelineRow, summary: Summary | None, stale_seconds: float) -> object:
    """What changes without an event; None for a pipeline at rest.

    That is progress and heartbeats while files are in progress, files that were queued, a missing
    heartbeat, and the summary, unless the pipeline is at rest.
    """
    head = row.head
    moving = None if row.progress is None else (row.progress, row.last_heartbeat)
    told = queued = None
    if summary is None:
        queued = head.counts if any(head.counts[:2]) else None
    elif summary.seq != head.seq or not summary.is_at_rest:
        told = (summary.seq, summary.content)
    if summary is not None and summary.counts != head.counts:
        queued = head.counts
    found = (moving, is_silent(row, stale_seconds), told, queued)
    return None if found == (None, False, None, None) else found


def is_silent(row: PipelineRow, stale_seconds: float) -> bool:
    """Whether a pipeline is online according to its log, but its heartbeat is missing."""
    if row.status != "online":
        return False
    return row.silent_seconds is None or row.silent_seconds > stale_seconds
