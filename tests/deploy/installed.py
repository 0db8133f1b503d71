"""The built wheels in environments of their own, with nothing else of this repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["ROOT", "build_wheels", "environment_without_node", "install", "pythons", "run"]

ROOT = Path(__file__).parents[2]
VERSIONS = ("3.11", "3.12", "3.13", "3.14")


def build_wheels(folder: Path) -> list[Path]:
    """Build the wheels of raglive and its reporter."""
    for source in (ROOT, ROOT / "packages" / "raglive-reporter"):
        run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=source)
    return sorted(folder.glob("*.whl"))


def pythons() -> list[str]:
    """Return the interpreters of this machine among the supported versions, by path."""
    found = []
    for version in VERSIONS:
        for path in (
            *Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"),
            Path(shutil.which(f"python{version}") or "/nonexistent"),
        ):
            if path.exists() and _starts(path):
                found.append(str(path))
                break
    return found


def install(python: str, wheels: list[Path], folder: Path) -> Path:
    """Install wheels into a new environment; return its folder of programs."""
    run(ROOT / ".venv/bin/uv", "venv", "--quiet", "--python", python, folder)
    interpreter = folder / "bin/python"
    run("tools/uv.sh", "pip", "install", "--quiet", "--python", interpreter, *wheels, cwd=ROOT)
    return folder / "bin"


def run(
    *command: str | Path,
    cwd: Path | None = None,
    seconds: float = 600,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program; return its output, and show all of it if it fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def _starts(python: Path) -> bool:
    """Whether the program is an interpreter; those of pyenv may refuse."""
    command = [str(python), "-c", ""]
    return not subprocess.run(command, capture_output=True, timeout=30, check=False).returncode


def environment_without_node(home: Path) -> dict[str, str]:
    """Return an environment with nothing but a home: no program is found by its name."""
    return {"HOME": str(home), "PATH": "/nonexistent", "LANG": os.environ.get("LANG", "C")}
