"""Fail unless the lock files match the requirements in pyproject.toml; needs no network.

`--fingerprint` prints the line that `make lock` writes at the top of each.
"""

from __future__ import annotations

import json
import sys
import tomllib
from hashlib import sha256
from pathlib import Path

LOCKS = [
    "requirements.lock",
    "requirements-dev.lock",
    "tools/requirements-uv.lock",
    "tools/requirements-node.lock",
]


def fingerprint() -> str:
    """Return a hash of all requirements."""
    wanted = []
    for name in ["pyproject.toml", *sorted(map(str, Path("packages").glob("*/pyproject.toml")))]:
        asked = tomllib.loads(Path(name).read_text("utf-8"))
        project = asked["project"]
        wanted += [
            project["requires-python"],
            project["dependencies"],
            project.get("optional-dependencies"),
            asked.get("dependency-groups"),
        ]
    return sha256(json.dumps(wanted).encode()).hexdigest()[:16]


def fault(lock: Path) -> str | None:
    """Return the error of a lock file; None when there is none."""
    text = lock.read_text("utf-8")
    if "://" in text:
        return f"{lock} names a host."
    if fingerprint() not in text[:200]:
        return f"{lock} was not made from this pyproject.toml. Run `make lock`."
    return None


def main() -> None:
    """Check every lock file."""
    if sys.argv[1:] == ["--fingerprint"]:
        print(fingerprint())
        return
    found = [text for text in map(fault, map(Path, LOCKS)) if text]
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
