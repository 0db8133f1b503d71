"""Names lease owners by machine and process, so that leases of dead processes can be released."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable

import psutil

__all__ = ["current_owner", "dead_owners"]


def current_owner() -> str:
    """Return this process's unique name: `host/boot time/process id/start time`."""
    return f"{_machine()}/{os.getpid()}/{_start_of(os.getpid())}"


def dead_owners(names: Iterable[str]) -> list[str]:
    """Return those of `names` that are processes of this machine and no longer run.

    Nothing is known about processes of other machines, so they are never returned.
    """
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
