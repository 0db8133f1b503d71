"""Hints that are collected for long, because nothing reads meanwhile."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import cast

from raglive.bus.bus import Hint, Message
from raglive.bus.postgres import PostgresBus
from raglive.log_reader.hints import MAX_HINTED, HeadHints


class _Bus:
    def __init__(self, hints: list[Message]) -> None:
        self._hints = hints

    async def listen(self, *, live: bool) -> AsyncGenerator[Message]:
        assert not live
        for hint in self._hints:
            yield hint


async def _hinted(messages: list[Message]) -> HeadHints:
    hints = HeadHints(cast("PostgresBus", _Bus(messages)))
    hints.in_doubt = False
    await hints.listen()
    return hints


async def test_the_highest_seq_of_each_pipeline_is_taken_once() -> None:
    hints = await _hinted([Hint(1, 5), Hint(2, 1), Hint(1, 4)])
    assert hints.take() == {1: 5, 2: 1}
    assert (hints.take(), hints.in_doubt) == ({}, False)


async def test_more_pipelines_than_are_held_cause_a_reading_of_the_heads() -> None:
    hints = await _hinted([Hint(key, 1) for key in range(MAX_HINTED)])
    assert (len(hints.seqs), hints.in_doubt) == (MAX_HINTED, False)
    hints = await _hinted([Hint(key, 1) for key in range(MAX_HINTED + 3)])
    assert (len(hints.seqs), hints.in_doubt) == (3, True)
