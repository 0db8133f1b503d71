"""The systemd units: valid, restricted, and running commands that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tools.reference_commands import all_commands

from raglive.settings import read_settings
from tests.unit.docs.markdown import ROOT

UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
SETTINGS = ROOT / "deploy" / "systemd" / "raglive.env.example"
MOST_EXPOSURE = "45"  # of 100
COMMANDS = {path for path, _ in all_commands()}


def test_the_commands_and_the_settings_exist() -> None:
    for unit in UNITS:
        for command in re.findall(r"^ExecStart\w*=/opt/raglive/bin/(.+)$", unit.read_text(), re.M):
            assert command in COMMANDS
    given = dict(re.findall(r"^(\w+)=(.*)$", SETTINGS.read_text("utf-8"), re.M))
    read_settings(given)


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    for unit in UNITS:  # the program must exist
        text = unit.read_text("utf-8").replace("/opt/raglive/bin/raglive", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    units = [tmp_path / unit.name for unit in UNITS]
    _analyze("verify", *units)
    for unit in units:
        _analyze("security", "--offline=true", f"--threshold={MOST_EXPOSURE}", unit)


def _analyze(*arguments: str | Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
