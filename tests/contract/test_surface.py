"""The public modules export exactly the intended names."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from importlib.metadata import version

import pytest

import fake_google_drive
import raglive
import raglive_contract
import raglive_reporter

MODULES = sorted(
    module.name
    for package in (raglive, raglive_contract, raglive_reporter, fake_google_drive)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not module.name.endswith("__main__")
)
CONTRACT = [name for name in MODULES if name.startswith("raglive_contract")]
IMPORTED_ALONE = """
import sys, {module}
foreign = {{"asyncio", "asyncpg", "fastapi", "socketio", "numpy"}} & sys.modules.keys()
sys.exit(f"{module} imports {{foreign}}" if foreign else 0)
"""


@pytest.mark.parametrize("name", MODULES)
def test_all_names_what_the_module_defines(name: str) -> None:
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", [])
    assert sorted(set(exported)) == sorted(exported)
    assert [it for it in exported if not hasattr(module, it)] == []


def test_facade_says_its_version() -> None:
    assert raglive.__version__ == version("raglive")


@pytest.mark.parametrize("module", CONTRACT)
def test_contract_brings_no_framework(module: str) -> None:
    command = [sys.executable, "-c", IMPORTED_ALONE.format(module=module)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
