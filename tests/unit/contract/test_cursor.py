from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raglive_contract.cursor import (
    BEGINNING,
    MAX_SEQ,
    MAX_TEXT_LENGTH,
    NOW,
    Cursor,
    CursorExpired,
    Expiry,
    LogRange,
    Position,
    ResumeAfter,
    Start,
    parse_cursor,
    resume,
)
from raglive_contract.errors import ErrorCode, RagliveError

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "contract/fixtures/cursor.json").read_text("utf-8")
)

epochs = st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=32)
seqs = st.integers(0, MAX_SEQ)
positions = st.builds(Position, epochs, seqs)
cursors = st.one_of(
    st.lists(positions, min_size=1, max_size=8).map(Cursor.of),
    st.sampled_from([Cursor(), Cursor(otherwise=Start.NOW)]),
)


@given(cursors)
def test_what_is_written_is_read_back(cursor: Cursor) -> None:
    assert parse_cursor(str(cursor)) == cursor
    assert str(parse_cursor(str(cursor))) == str(cursor)


@given(epochs, seqs, seqs)
def test_text_sorts_as_the_log_does(epoch: str, one: int, other: int) -> None:
    texts = str(Position(epoch, one)), str(Position(epoch, other))
    assert (texts[0] < texts[1]) == (one < other)


@given(st.text() | st.from_regex(r"[0-9a-z.~-]{0,60}", fullmatch=True))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with suppress(RagliveError):
        assert parse_cursor(str(parse_cursor(text))) == parse_cursor(text)


@st.composite
def ranges(draw: st.DrawFn, epoch: str) -> LogRange:
    head = draw(st.integers(0, 20) | seqs)
    return LogRange(epoch, draw(st.integers(1, head + 1)), head)


@given(st.data(), st.sets(epochs, min_size=1, max_size=4))
def test_no_log_is_resumed_past_what_may_not_have_been_seen(
    data: st.DataObject, asked: set[str]
) -> None:
    near = st.builds(Position, st.sampled_from(sorted(asked)), st.integers(0, 21))
    cursor = data.draw(cursors | st.lists(near, min_size=1).map(Cursor.of))
    for epoch in asked:
        log = data.draw(ranges(epoch))
        outcome = resume(cursor, log, asked)
        if isinstance(outcome, ResumeAfter):
            assert log.oldest_seq - 1 <= outcome.seq <= log.head_seq
        if epoch in cursor.positions:
            seen = cursor.positions[epoch].seq
            is_held = log.oldest_seq - 1 <= seen <= log.head_seq
            expiry = Expiry.AHEAD if seen > log.head_seq else Expiry.TOO_OLD
            assert outcome == (ResumeAfter(seen) if is_held else CursorExpired(expiry))
        elif not cursor.positions.keys() <= asked:
            assert outcome == CursorExpired(Expiry.OTHER_EPOCH)
        elif cursor.otherwise is Start.NOW:
            assert outcome == ResumeAfter(log.head_seq)
        else:
            is_whole = log.oldest_seq == 1
            assert outcome == (ResumeAfter(0) if is_whole else CursorExpired(Expiry.TOO_OLD))


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=lambda it: it["text"])
def test_valid_vectors(vector: dict[str, Any]) -> None:
    cursor = parse_cursor(vector["text"])
    assert str(cursor) == vector["canonical"]
    assert {epoch: place.seq for epoch, place in cursor.positions.items()} == vector["positions"]
    assert str(cursor.otherwise.value) == vector["otherwise"]


@pytest.mark.parametrize("text", VECTORS["invalid"])
def test_invalid_vectors(text: str) -> None:
    with pytest.raises(RagliveError, match="cannot be read") as refused:
        parse_cursor(text)
    assert refused.value.code == ErrorCode.CURSOR_INVALID
    assert not refused.value.retryable


@pytest.mark.parametrize("vector", VECTORS["resume"])
def test_resume_vectors(vector: dict[str, Any]) -> None:
    logs = {log["epoch"]: LogRange(**log) for log in VECTORS["logs"]}
    cursor = parse_cursor(vector["cursor"])
    for epoch, expected in vector["outcomes"].items():
        outcome = resume(cursor, logs[epoch], vector["epochs"])
        if isinstance(outcome, ResumeAfter):
            assert expected == {"after": outcome.seq}
        else:
            assert expected == {"expired": outcome.reason}
            assert outcome.error().code == ErrorCode.CURSOR_EXPIRED


def test_endless_text_is_refused_before_it_is_read() -> None:
    with pytest.raises(RagliveError, match=str(MAX_TEXT_LENGTH)):
        parse_cursor("~" * (MAX_TEXT_LENGTH + 1))


def test_the_two_words() -> None:
    assert (str(Cursor()), str(Cursor(otherwise=Start.NOW))) == (BEGINNING, NOW)


@pytest.mark.parametrize("seq", [-1, MAX_SEQ + 1])
def test_no_position_is_outside_a_log(seq: int) -> None:
    with pytest.raises(RagliveError, match="out of range"):
        Position("a", seq)
