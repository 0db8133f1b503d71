from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_google_drive.change_logs import ChangeLog, TokenExpired, TokenUnknown


@given(
    changed=st.lists(st.integers(0, 30), max_size=3000),
    start=st.integers(0, 3000),
    limit=st.integers(1, 50),
)
def test_a_log_has_each_item_once_in_the_order_of_the_last_changes(
    changed: list[int], start: int, limit: int
) -> None:
    log, token = ChangeLog(), None
    for at, number in enumerate(changed):
        token = log.head if at == start else token
        log.append("file", str(number), at)
    if token is None:
        token = log.head

    told: list[str] = []
    while True:
        page = log.page(token, limit)
        assert len(page.changes) <= limit
        told += [change.id for change in page.changes]
        if page.next is None:
            break
        token = page.next

    since = changed[start:]
    last = {str(number): at for at, number in enumerate(since)}
    assert told == sorted(last, key=lambda number: last[number])
    assert page.head == log.head


def test_a_log_refuses_unknown_and_expired_tokens() -> None:
    log = ChangeLog()
    log.append("file", "a", 1)
    old = log.head
    for token in (0, log.head + 1):
        with pytest.raises(TokenUnknown):
            log.page(token, 10)
    log.expire()
    with pytest.raises(TokenExpired):
        log.page(old, 10)
    assert log.page(log.head, 10).head == log.head
