from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from raglive_contract.model import Timestamp, rfc3339

TIMESTAMPS: TypeAdapter[Timestamp] = TypeAdapter(Timestamp)


def test_a_time_is_converted_to_utc() -> None:
    assert rfc3339(TIMESTAMPS.validate_python("2026-01-02T05:04:05+02:00")) == (
        "2026-01-02T03:04:05.000Z"
    )


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+12:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_that_utc_cannot_express_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="years 1 to 9999"):
        TIMESTAMPS.validate_python(text)
