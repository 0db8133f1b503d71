"""How every bench reports: a table, what it does not show, and the load of the machine."""

from __future__ import annotations

import argparse
import logging
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from rich.console import Console
from rich.table import Table

__all__ = ["Report", "is_quick", "percentile"]


def is_quick(description: str | None) -> bool:
    """Read the command line; return True for a quick run.

    Sets the log level to warnings.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="take at most about half a minute")
    arguments = parser.parse_args()
    only_warnings = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=only_warnings)
    return bool(arguments.quick)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


@dataclass(slots=True)
class Report:
    """The results of one bench, printed at its end."""

    title: str
    does_not_show: str
    _rows: list[tuple[str, str, str]] = field(default_factory=list)

    def figure(self, what: str, value: str, goal: str = "") -> None:
        """Add a line."""
        self._rows.append((what, value, goal))

    def times(self, what: str, seconds: Sequence[float], goal: str = "") -> None:
        """Add a line for many measurements of one kind."""
        middle, late = statistics.median(seconds), percentile(seconds, 0.95)
        text = f"p50 {middle * 1000:.1f} ms, p95 {late * 1000:.1f} ms (n={len(seconds)})"
        self.figure(what, text, goal)

    def show(self) -> None:
        """Print it."""
        table = Table(title=self.title, title_justify="left", title_style="bold", show_lines=False)
        table.add_column("what")
        table.add_column("found", justify="right")
        table.add_column("goal", style="dim")
        for row in self._rows:
            table.add_row(*row)
        console = Console(width=110, highlight=False)
        console.print(table)
        load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
        console.print(f"{os.cpu_count()} CPUs, load {load}. Does not show: {self.does_not_show}\n")
