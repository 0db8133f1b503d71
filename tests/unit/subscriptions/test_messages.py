"""The memory of a message is close to its size, because thousands are held per pipeline."""

from __future__ import annotations

import tracemalloc

from tests.unit.subscriptions.log import make_log

COUNT = 500


def test_a_held_message_takes_memory_in_proportion_to_its_length() -> None:
    make_log(10)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        log = make_log(COUNT, size=500)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    held = sum(len(message.body) for message in log)
    assert after - before < held + COUNT * 1000  # of the objects around
