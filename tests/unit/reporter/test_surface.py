"""The public names, and the cost of importing them."""

from __future__ import annotations

import subprocess
import sys

import raglive_reporter

IMPORTED_ALONE = """
import sys
from raglive_reporter import Reporter
heavy = {"asyncpg", "fastapi", "httpx", "kreuzberg", "numpy", "socketio", "wordllama"}
sys.exit(", ".join(heavy & sys.modules.keys()) or 0)
"""


def test_public_names_are_sorted_and_exist() -> None:
    exported = raglive_reporter.__all__
    assert exported == sorted(exported)
    assert all(hasattr(raglive_reporter, name) for name in exported)


def test_importing_loads_no_heavy_module() -> None:
    command = [sys.executable, "-c", IMPORTED_ALONE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
