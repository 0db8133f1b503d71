"""The versions of the server libraries whose private parts were tested.

The ranges are those of `pyproject.toml`. An installer can override them, and a private part that
has changed fails under load and not at once, so the servers check before they start.
"""

from __future__ import annotations

import re
from importlib.metadata import version

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["TESTED", "require_tested"]

# The lowest version that was tested, and the first that may change a private part.
TESTED = {
    "python-engineio": ("4.15.1", "4.16"),
    "python-socketio": ("5.18.1", "5.19"),
    "uvicorn": ("0.54.0", "0.55"),
}


def require_tested(*packages: str) -> None:
    """Raise `conflict` for the first package whose installed version is outside its range."""
    for package in packages:
        lowest, untested = TESTED[package]
        installed = version(package)
        if not _release(lowest) <= _release(installed) < _release(untested):
            raise RagliveError(
                f"{package} {installed} is installed, and raglive was tested with {package} "
                f">={lowest},<{untested}: run `pip install '{package}>={lowest},<{untested}'`.",
                code=ErrorCode.CONFLICT,
            )


def _release(stated: str) -> tuple[int, ...]:
    """Parse the leading numbers of a version, without pre-release and build parts."""
    numbers = re.match(r"\d+(\.\d+)*", stated)
    return tuple(map(int, numbers[0].split("."))) if numbers else ()
