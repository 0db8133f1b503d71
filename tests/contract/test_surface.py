"""What can be imported is what is meant to be."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import raglive

ROOT = Path(raglive.__file__).parent
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(raglive.__path__, "raglive.")
    if not module.name.endswith("__main__")
)
IMPORTED_ALONE = """
import sys, raglive.contract.{module}
foreign = {{"asyncio", "asyncpg", "fastapi", "socketio", "numpy"}} & sys.modules.keys()
sys.exit(f"raglive.contract.{module} imports {{foreign}}" if foreign else 0)
"""


@pytest.mark.parametrize("name", MODULES)
def test_all_names_what_the_module_defines(name: str) -> None:
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", [])
    assert sorted(set(exported)) == sorted(exported)
    assert [it for it in exported if not hasattr(module, it)] == []


def test_facade_says_its_version() -> None:
    assert raglive.__version__ == version("raglive")


@pytest.mark.parametrize(
    "module", sorted(path.stem for path in (ROOT / "contract").glob("[a-z]*.py"))
)
def test_contract_brings_no_framework(module: str) -> None:
    command = [sys.executable, "-c", IMPORTED_ALONE.format(module=module)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
