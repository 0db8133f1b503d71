"""Each decision has a status and a date, and the index shows them."""

from __future__ import annotations

import re
from datetime import date

from tests.unit.docs.markdown import ROOT

DECISIONS = ROOT / "docs" / "adr"
_HEAD = re.compile(
    r"# (?P<number>\d{4})\. (?P<title>.+)\n\n"
    r"Status: (?P<status>proposed|accepted|superseded by (?P<by>\d{4}))\n"
    r"Date: (?P<date>\d{4}-\d\d-\d\d)\n\n"
)
_ROW = re.compile(r"^\| \[(\d{4})\]\(([^)]+)\) \| (.+) \| (.+) \| (.+) \|$", re.M)


def test_each_decision_has_a_status_and_a_date_that_the_index_shows() -> None:
    pages = sorted(DECISIONS.glob("[0-9]*.md"))
    expected = []
    for page in pages:
        head = _HEAD.match(page.read_text("utf-8"))
        assert head, f"{page.name} does not begin with title, status and date"
        assert page.name.startswith(f"{head['number']}-")
        assert date.fromisoformat(head["date"]) <= date.today()  # noqa: DTZ011 - a calendar date
        assert head["by"] is None or list(DECISIONS.glob(f"{head['by']}-*.md"))
        expected.append((head["number"], page.name, head["title"], head["status"], head["date"]))
    index = (DECISIONS / "README.md").read_text("utf-8")
    assert _ROW.findall(index) == expected
    assert [number for number, *_ in expected] == [f"{n:04d}" for n in range(1, len(pages) + 1)]
