"""The cursor: one opaque text that says what a viewer has seen.

A pipeline's cursor is `<epoch>.<16-digit seq>`. The epoch is unique to one life of one pipeline's
log, so a cursor also says which pipeline it is of, and cursors of several pipelines travel as one
text, joined by `~`. `-1` stands for the beginning and `now` for the present head.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = [
    "BEGINNING",
    "CURSOR_PATTERN",
    "NOW",
    "Cursor",
    "Position",
    "Start",
    "cursor_at",
    "parse_cursor",
]

BEGINNING = "-1"
NOW = "now"
MAX_SEQ = 2**53 - 1  # what a number holds exactly in every language
MAX_TEXT_LENGTH = 64 * 1024
_FORM = r"([0-9a-z]{1,32})\.([0-9]{16})"
_POSITION = re.compile(_FORM, re.ASCII)
CURSOR_PATTERN = rf"^(-1|now|{_FORM}(~{_FORM})*)$"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in one pipeline's log: everything up to and including `seq` was seen."""

    epoch: str
    seq: int

    def __post_init__(self) -> None:
        if not 0 <= self.seq <= MAX_SEQ:
            raise _invalid(f"seq {self.seq} is out of range")

    def __str__(self) -> str:
        return cursor_at(self.epoch, self.seq)


def cursor_at(epoch: str, seq: int) -> str:
    """Return the cursor of a place in one log."""
    return f"{epoch}.{seq:016d}"


class Start(Enum):
    """Where a pipeline that a cursor does not name is to be read from."""

    BEGINNING = BEGINNING
    NOW = NOW
    UNKNOWN = "unknown"


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
        """Return the cursor that holds these positions."""
        return cls({position.epoch: position for position in positions})

    def resume(self, epoch: str, epochs: Iterable[str]) -> Position | Start:
        """Return where to read the log of `epoch`, given all the `epochs` that are asked for.

        A log that the cursor does not name began after the cursor was made, and is read from its
        beginning; unless the cursor names a log that is not asked for, for then it may be this
        log's earlier life, and what was seen is unknown.
        """
        position = self.positions.get(epoch)
        if position is not None:
            return position
        if self.positions.keys() - set(epochs):
            return Start.UNKNOWN
        return self.otherwise


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
