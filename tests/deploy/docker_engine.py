"""A Docker engine of the tests' own, and images that need no registry."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.deploy.installed import ROOT, build_wheels, run

__all__ = ["BASE_IMAGE", "Docker", "docker_engine"]

BASE_IMAGE = "raglive-test-base"
BASE_PACKAGES = "python3.11,python3.11-venv,ca-certificates,nginx-light,prometheus,redis-server"
CACHE = ROOT / ".make" / "deploy"
START_SECONDS = 30
NO_RULES = """*filter
:INPUT ACCEPT
:FORWARD ACCEPT
:OUTPUT ACCEPT
COMMIT
*nat
COMMIT
"""


class Docker:
    """Runs commands of Docker and of Compose against one engine."""

    def __init__(self, socket: Path) -> None:
        self._environment = os.environ | {
            "DOCKER_HOST": f"unix://{socket}",
            "DOCKER_BUILDKIT": "0",
        }

    def run(self, *command: str | Path, cwd: Path = ROOT, seconds: float = 600) -> str:
        """Run a program; return its output, and show all of it if it fails."""
        return run(*command, cwd=cwd, seconds=seconds, environment=self._environment)

    def has_image(self, name: str) -> bool:
        """Whether an image exists."""
        return bool(self.run("docker", "images", "--quiet", name).strip())

    def build_images(self, folder: Path) -> None:
        """Build the base, and `deploy/Dockerfile` on it as the image `raglive`."""
        base, wheels = _base_file(), _wheelhouse()
        self.run("sh", "-c", f"docker import - {BASE_IMAGE} < {base}")
        for name in ("requirements.lock", "deploy/Dockerfile", "deploy/healthcheck.py"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        shutil.copytree(wheels, folder / "dist")
        build_wheels(folder / "dist")
        arguments = [
            *("--build-arg", f"BASE={BASE_IMAGE}", "--build-arg", "PIP_NO_INDEX=1"),
            *("--build-arg", "PIP_FIND_LINKS=/build/wheels"),
        ]
        command = ("docker", "build", "--file", "deploy/Dockerfile", "--tag", "raglive")
        self.run(*command, *arguments, ".", cwd=folder)


@contextmanager
def docker_engine(folder: Path) -> Iterator[Docker]:
    """Run an engine with all its files in `folder`; skip where none can run."""
    if os.getuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("a Docker engine needs root, and the program dockerd")
    configuration = {
        "data-root": f"{folder}/data",
        "exec-root": f"{folder}/exec",
        "pidfile": f"{folder}/pid",
        "hosts": [f"unix://{folder}/sock"],
        "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 20000, "Soft": 20000}},
    }
    (folder / "daemon.json").write_text(json.dumps(configuration))
    rules, had_bridge = run("iptables-save"), Path("/sys/class/net/docker0").exists()
    with (folder / "log").open("wb") as log:
        engine = subprocess.Popen(
            ["dockerd", "--config-file", str(folder / "daemon.json")], stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not (folder / "sock").exists():
            assert engine.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "the engine does not start"
            time.sleep(0.1)
        yield Docker(folder / "sock")
    finally:
        engine.terminate()
        engine.wait(60)
        if not had_bridge:
            run("ip", "link", "delete", "docker0")
            restored = NO_RULES + rules
            subprocess.run(["iptables-restore"], input=restored, text=True, timeout=30, check=True)


def _base_file() -> Path:
    """Return a Debian with Python and the other programs of the Compose file, made once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    made = CACHE / "base.tar"
    if not made.exists():
        new = CACHE / "new.tar"
        include = f"--include={BASE_PACKAGES}"
        run("mmdebstrap", "--variant=minbase", include, "bookworm", new)
        new.rename(made)
    return made


def _wheelhouse() -> Path:
    """Return a folder with the wheels that requirements.lock names, for the base's Python."""
    folder, seed = CACHE / "wheels", CACHE / "seed"
    if not (seed / "bin/python").exists():
        python = "/usr/bin/python3.11"  # as in the base
        run(ROOT / ".venv/bin/uv", "venv", "--quiet", "--seed", "--python", python, seed)
    download = (seed / "bin/python", "-m", "pip", "download", "--quiet", "--dest", folder)
    locked = ("--require-hashes", "--requirement", ROOT / "requirements.lock")
    run(*download, "--find-links", folder, *locked)
    return folder
