"""Write the generated parts of docs/reference/ from the code that they describe.

A generated part is between `<!-- generated: NAME -->` and `<!-- end of NAME -->`. The text around
it is written by hand. `python -m tools.generate_reference` writes the parts; with `--check` it
fails when a part is not current.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.reference_commands import commands
from tools.reference_errors import failures, google_refusals, refusals, skips
from tools.reference_events import conflated_events, durable_events, envelope, parts, status
from tools.reference_servers import dashboard_metrics, metrics, pipeline_metrics
from tools.reference_settings import settings

__all__ = ["PARTS", "REFERENCE", "current"]

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"

PARTS: Mapping[str, Callable[[], str]] = {
    "commands": commands,
    "conflated events": conflated_events,
    "dashboard metrics": dashboard_metrics,
    "durable events": durable_events,
    "envelope": envelope,
    "failures": failures,
    "google refusals": google_refusals,
    "metrics": metrics,
    "parts of events": parts,
    "pipeline metrics": pipeline_metrics,
    "refusals": refusals,
    "settings": settings,
    "skips": skips,
    "status": status,
}
_PART = re.compile(
    r"(?P<begin><!-- generated: (?P<name>[a-z ]+) -->\n).*?(?P<end><!-- end of (?P=name) -->)", re.S
)


def current(page: str) -> str:
    """Return the page with its generated parts updated from the code."""
    return _PART.sub(
        lambda found: f"{found['begin']}{PARTS[found['name']]().strip()}\n{found['end']}", page
    )


def main() -> None:
    """Write the pages that differ; with `--check`, name them and fail."""
    differing = []
    for page in sorted(REFERENCE.glob("*.md")):
        text = page.read_text("utf-8")
        wanted = current(text)
        if wanted != text:
            differing.append(page.name)
            if sys.argv[1:] != ["--check"]:
                page.write_text(wanted, "utf-8")
    if sys.argv[1:] == ["--check"]:
        if differing:
            names = ", ".join(f"docs/reference/{name}" for name in differing)
            sys.exit(f"Not what the code says: {names}. Run `python -m tools.generate_reference`.")
        return
    for name in differing:
        print(f"docs/reference/{name}")


if __name__ == "__main__":
    main()
