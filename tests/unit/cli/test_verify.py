from __future__ import annotations

import pytest

from raglive.cli.verify import print_problems
from raglive.store.index.verify import Disagreement


def test_advice_is_printed_once_for_problems_that_share_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = [("gaps", "a", "Restore."), ("empty", "b", "Put it back."), ("counts", "c", "Restore.")]
    print_problems(
        [
            Disagreement(code=code, pipeline_id="p", message=message, action=action)
            for code, message, action in found
        ]
    )
    assert capsys.readouterr().out.splitlines() == [
        "p: a (gaps)",
        "p: c (counts)",
        "  Restore.",
        "p: b (empty)",
        "  Put it back.",
    ]
