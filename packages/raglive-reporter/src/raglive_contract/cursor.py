"""The cursor: an opaque text that encodes a viewer's position, and how a log is resumed from it.

A pipeline's cursor is `<epoch>.<16-digit seq>`. The epoch is unique to one life of one pipeline's
log. It therefore identifies the pipeline, and cursors of several pipelines travel as one text,
joined by `~`. `-1` stands for the beginning and `now` for the present head.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = [
    "BEGINNING",
    "CURSOR_PATTERN",
    "MAX_TEXT_LENGTH",
    "NOW",
    "Cursor",
    "CursorExpired",
    "Expiry",
    "LogRange",
    "Position",
    "ResumeAfter",
    "Start",
    "cursor_at",
    "parse_cursor",
    "resume",
]

BEGINNING = "-1"
NOW = "now"
MAX_SEQ = 2**53 - 1  # what a number holds exactly in every language
MAX_TEXT_LENGTH = 128 * 1024  # about 3,800 pipelines
_FORM = r"([0-9a-z]{1,32})\.([0-9]{16})"
_POSITION = re.compile(_FORM, re.ASCII)
CURSOR_PATTERN = rf"^(-1|now|{_FORM}(~{_FORM})*)$"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A position in one pipeline's log: everything up to and including `seq` was seen."""

    epoch: str
    seq: int

    def __post_init__(self) -> None:
        if not 0 <= self.seq <= MAX_SEQ:
            raise _invalid(f"seq {self.seq} is out of range")

    def __str__(self) -> str:
        return cursor_at(self.epoch, self.seq)


def cursor_at(epoch: str, seq: int) -> str:
    """Format a position without building it; the seq is not checked."""
    return f"{epoch}.{seq:016d}"


class Start(Enum):
    """Where to start a log that the cursor does not name."""

    BEGINNING = BEGINNING
    NOW = NOW


@dataclass(frozen=True, slots=True)
class Cursor:
    """Positions in any number of logs, by epoch."""

    positions: Mapping[str, Position] = field(default_factory=dict)
    otherwise: Start = Start.BEGINNING

    def __str__(self) -> str:
        if self.positions:
            return "~".join(str(self.positions[epoch]) for epoch in sorted(self.positions))
        return self.otherwise.value

    @classmethod
    def of(cls, positions: Iterable[Position]) -> Cursor:
        """Compose a cursor; of two positions in one log the later argument counts."""
        return cls({position.epoch: position for position in positions})


@dataclass(frozen=True, slots=True)
class LogRange:
    """The stored events of a log: `oldest_seq` to `head_seq`; empty if `head_seq` is smaller."""

    epoch: str
    oldest_seq: int
    head_seq: int


@dataclass(frozen=True, slots=True)
class ResumeAfter:
    """Resume: the viewer missed the events after `seq`; 0 is before the first event."""

    seq: int


class Expiry(StrEnum):
    """Why a log cannot be resumed from a cursor."""

    AHEAD = "ahead"
    OTHER_EPOCH = "other_epoch"
    TOO_OLD = "too_old"


@dataclass(frozen=True, slots=True)
class CursorExpired:
    """The log cannot be resumed: a viewer needs a snapshot, an HTTP request is refused."""

    reason: Expiry

    def error(self) -> RagliveError:
        """Build the refusal `cursor_expired` that HTTP and the command line answer with."""
        return RagliveError(
            f"{_EXPIRED[self.reason]} Start from {_STARTS[self.reason]}, or without a cursor.",
            code=ErrorCode.CURSOR_EXPIRED,
        )


_EXPIRED = {
    Expiry.AHEAD: "The cursor is ahead of the log, which was restored from a backup.",
    Expiry.OTHER_EPOCH: "The cursor belongs to another log, or to an earlier one of the pipeline.",
    Expiry.TOO_OLD: "Events after the cursor are no longer kept (RAGLIVE_KEEP_EVENTS_DAYS).",
}
_STARTS = {
    Expiry.AHEAD: "`-1` or `now`",
    Expiry.OTHER_EPOCH: "`-1` or `now`",
    Expiry.TOO_OLD: "`now`",  # the log no longer has its beginning
}


def resume(cursor: Cursor, log: LogRange, epochs: Collection[str]) -> ResumeAfter | CursorExpired:
    """Interpret a cursor against one log; every surface resumes by this function.

    `epochs` are those of all requested logs. A log that the cursor does not name
    began after the cursor was made, and is read from its beginning. When the cursor names a log
    that is not asked for, however, that may be an earlier life of this one, and what was seen of
    it is unknown.
    """
    position = cursor.positions.get(log.epoch)
    if position is not None:
        seq = position.seq
    elif not all(epoch in epochs for epoch in cursor.positions):
        return CursorExpired(Expiry.OTHER_EPOCH)
    else:
        seq = log.head_seq if cursor.otherwise is Start.NOW else 0
    if seq > log.head_seq:
        return CursorExpired(Expiry.AHEAD)
    if seq < log.oldest_seq - 1:
        return CursorExpired(Expiry.TOO_OLD)
    return ResumeAfter(seq)


def parse_cursor(text: str) -> Cursor:
    """Read a cursor; raise `cursor_invalid` for text that never was one."""
    if text == BEGINNING:
        return Cursor()
    if text == NOW:
        return Cursor(otherwise=Start.NOW)
    if len(text) > MAX_TEXT_LENGTH:
        raise _invalid(f"it is longer than {MAX_TEXT_LENGTH} characters")
    matches = [_POSITION.fullmatch(part) for part in text.split("~")]
    positions = [Position(match[1], int(match[2])) for match in matches if match]
    if len(positions) != len(matches) or len({p.epoch for p in positions}) != len(positions):
        raise _invalid("it is not of the form <epoch>.<16-digit seq>, `-1` or `now`")
    return Cursor.of(positions)


def _invalid(why: str) -> RagliveError:
    return RagliveError(
        f"The cursor cannot be read: {why}. Pass on a cursor exactly as it was received.",
        code=ErrorCode.CURSOR_INVALID,
    )
