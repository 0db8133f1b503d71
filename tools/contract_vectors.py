"""What every implementation of cursor and digest must agree on."""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from uuid import UUID

from raglive_contract.cursor import (
    MAX_SEQ,
    NOW,
    Cursor,
    LogRange,
    Position,
    ResumeAfter,
    Start,
    parse_cursor,
    resume,
)
from raglive_contract.digest import EMPTY, roll

__all__ = ["cursor_vectors", "digest_vectors"]

_A = "019a5c3e7f01b2c4"
_B = "019a5c3e7f02d6e8"
_ZERO = "0000000000000000"

_VALID = [
    "-1",
    "now",
    f"{_A}.{_ZERO}",
    f"{_A}.0000000000000001",
    f"{_A}.{MAX_SEQ:016d}",
    "0.0000000000000042",
    f"{'z' * 32}.0000000000000042",
    f"{_A}.0000000000000007~{_B}.0000000000000009",
    f"{_B}.0000000000000009~{_A}.0000000000000007",
]
_INVALID = [
    "",
    "0",
    "-2",
    "NOW",
    " now",
    "now~now",
    "42",
    _A,
    f".{_ZERO}",
    f"{_A}.1",
    f"{_A}.{_ZERO}0",
    f"{_A}.-000000000000001",
    f"{_A}.000000000000000x",
    f"{_A}.{MAX_SEQ + 1:016d}",
    f"{_A.upper()}.{_ZERO}",
    f"{'z' * 33}.{_ZERO}",
    f"{_A}.{_ZERO} ",
    f"{_A}.{_ZERO}\n",
    f"{_A}.{_ZERO}~",
    f"~{_A}.{_ZERO}",
    f"{_A}.{_ZERO}~now",
    f"{_A}.{_ZERO},{_B}.{_ZERO}",
    f"{_A}.0000000000000001~{_A}.0000000000000002",
    f"{_A}.\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660",
]
_C = "019b"
_LOGS = {
    _A: LogRange(_A, oldest_seq=1, head_seq=9),
    _B: LogRange(_B, oldest_seq=4, head_seq=12),  # the first three are no longer kept
    _C: LogRange(_C, oldest_seq=1, head_seq=0),
}
_RESUMED: list[tuple[str, list[str]]] = [
    ("-1", [_A]),
    ("-1", [_A, _C]),
    ("-1", [_A, _B]),
    ("now", [_A, _B, _C]),
    (f"{_A}.{_ZERO}", [_A]),
    (f"{_A}.0000000000000007", [_A]),
    (f"{_A}.0000000000000009", [_A]),
    # ahead of the log
    (f"{_A}.0000000000000010", [_A]),
    (f"{_A}.{MAX_SEQ:016d}", [_A]),
    (f"{_C}.0000000000000001", [_C]),
    # the oldest that can be resumed, and one too old
    (f"{_B}.0000000000000003", [_B]),
    (f"{_B}.0000000000000002", [_B]),
    # of several logs
    (f"{_A}.0000000000000007~{_B}.0000000000000009", [_A, _B]),
    (f"{_A}.0000000000000007~{_B}.0000000000000009", [_B]),
    (f"{_A}.0000000000000007~{_B}.0000000000000002", [_A, _B]),
    # the log began after the cursor was made
    (f"{_A}.0000000000000007", [_A, _C]),
    (f"{_A}.0000000000000007", [_A, _B]),
    (f"{_A}.0000000000000007~{_B}.0000000000000009", [_A, _B, _C]),
    # only logs that are not asked for: perhaps an earlier life of this one
    (f"{_A}.0000000000000007", [_C]),
    (f"{_A}.0000000000000007~{_B}.0000000000000009", [_C]),
    (f"{_A}.0000000000000007~{_B}.0000000000000009", [_A, _C]),
    ("0another.0000000000000001", [_A]),
]


def cursor_vectors() -> dict[str, Any]:
    """Return texts with their meaning, and the outcome of each cursor for each log asked for."""
    return {
        "valid": [{"text": text, **_meaning(parse_cursor(text))} for text in _VALID],
        "invalid": _INVALID,
        "positions": [
            {"epoch": epoch, "seq": seq, "text": str(Position(epoch, seq))}
            for epoch in (_A, "0", "z" * 32)
            for seq in (0, 1, 9, 10, 12345, MAX_SEQ)
        ],
        "logs": [
            {"epoch": log.epoch, "oldest_seq": log.oldest_seq, "head_seq": log.head_seq}
            for log in _LOGS.values()
        ],
        "resume": [
            {
                "cursor": text,
                "epochs": epochs,
                "outcomes": {epoch: _resumed(text, epoch, epochs) for epoch in epochs},
            }
            for text, epochs in _RESUMED
        ],
    }


def _meaning(cursor: Cursor) -> dict[str, Any]:
    positions = {epoch: place.seq for epoch, place in sorted(cursor.positions.items())}
    start = NOW if cursor.otherwise is Start.NOW else "-1"
    return {"canonical": str(cursor), "positions": positions, "otherwise": start}


def _resumed(text: str, epoch: str, epochs: list[str]) -> dict[str, int | str]:
    outcome = resume(parse_cursor(text), _LOGS[epoch], epochs)
    if isinstance(outcome, ResumeAfter):
        return {"after": outcome.seq}
    return {"expired": str(outcome.reason)}


def digest_vectors() -> dict[str, Any]:
    """Return single steps, and a log whose digest folds from nothing."""
    log, digest = [], EMPTY
    for seq in range(1, 9):
        event_id = _event_id(f"log {seq}")
        digest = roll(digest, event_id, seq)
        log.append({"id": str(event_id), "seq": seq, "digest": digest.hex()})
    steps = []
    for seq in (1, 255, 256, 2**32, MAX_SEQ):
        previous, event_id = sha256(str(seq).encode()).digest(), _event_id(f"step {seq}")
        steps.append(
            {
                "previous": previous.hex(),
                "id": str(event_id),
                "seq": seq,
                "digest": roll(previous, event_id, seq).hex(),
            }
        )
    return {"log": log, "steps": steps}


def _event_id(text: str) -> UUID:
    """Return an id that is always the same, of the form of a UUIDv7."""
    raw = bytearray(sha256(text.encode()).digest()[:16])
    raw[6] = 0x70 | raw[6] & 0x0F
    raw[8] = 0x80 | raw[8] & 0x3F
    return UUID(bytes=bytes(raw))
