"""Transient errors are retried until they pass or the time is over; others are not."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import pytest

from raglive.store import errors
from raglive.store.errors import (
    DatabaseMisconfigured,
    DatabaseUnavailable,
    connect_with_retry,
    retry_transient,
)
from raglive_contract.backoff import Backoff

DSN = "postgresql://me:secret@db:5433/raglive"


class Flaky:
    """Raises the given errors in turn, then succeeds."""

    def __init__(self, raised: Sequence[Exception]) -> None:
        self.raised = list(raised)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.raised:
            raise self.raised.pop(0)
        return "done"


@pytest.fixture(autouse=True)
def without_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RETRY", "CONNECT_RETRY"):
        monkeypatch.setattr(errors, name, Backoff(0.0, 0.0))


async def test_a_transient_error_is_retried() -> None:
    flaky = Flaky([asyncpg.DeadlockDetectedError(), OSError(), TimeoutError()])
    assert await retry_transient(flaky, within_seconds=60, what="trying") == "done"
    assert flaky.calls == 4


async def test_another_error_is_not() -> None:
    flaky = Flaky([asyncpg.UniqueViolationError()])
    with pytest.raises(asyncpg.UniqueViolationError):
        await retry_transient(flaky, within_seconds=60, what="trying")
    assert flaky.calls == 1


async def test_retries_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "RETRY", Backoff(100.0, 100.0))
    with pytest.raises(DatabaseUnavailable, match=r"for 2 s while trying \(OSError\)") as raised:
        await retry_transient(Flaky([OSError()]), within_seconds=2, what="trying")
    assert raised.value.retryable


async def test_a_connection_is_retried_while_the_server_starts() -> None:
    flaky = Flaky([ConnectionRefusedError(), asyncpg.CannotConnectNowError()])
    assert await connect_with_retry(DSN, flaky) == "done"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (asyncpg.InvalidPasswordError(), "refused the user name or password"),
        (asyncpg.InvalidCatalogNameError(), "database at db:5433/raglive does not exist"),
        (asyncpg.ClientConfigurationError("bad"), "not an address of a database"),
    ],
)
async def test_a_wrong_setting_is_explained_at_once(error: Exception, message: str) -> None:
    flaky = Flaky([error])
    with pytest.raises(DatabaseMisconfigured, match=message) as raised:
        await connect_with_retry(DSN, flaky)
    assert flaky.calls == 1
    assert "secret" not in str(raised.value)
