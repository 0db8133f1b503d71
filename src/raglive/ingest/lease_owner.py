"""Who holds a lease: a name that says on which machine to look whether its process still lives."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable

import psutil

__all__ = ["dead_among", "own_name"]


def own_name() -> str:
    """Return this process's name: `host/boot/pid/start`, never used again."""
    return f"{_machine()}/{os.getpid()}/{_start_of(os.getpid())}"


def dead_among(names: Iterable[str]) -> list[str]:
    """Return the names of this machine's processes that no longer live."""
    return [name for name in names if _is_dead(name)]


def _machine() -> str:
    return f"{socket.gethostname()}/{int(psutil.boot_time())}"


def _is_dead(name: str) -> bool:
    machine, _, process = name.rpartition("/")
    machine, _, pid = machine.rpartition("/")
    if machine != _machine():
        return False
    return not pid.isdigit() or _start_of(int(pid)) != process


def _start_of(pid: int) -> str | None:
    try:
        return f"{psutil.Process(pid).create_time():.2f}"
    except psutil.Error:
        return None
