"""Restricts a child process: no network, no files, limited memory, and no life after its parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

__all__ = ["confine"]

_CLONE_NEWNET = 0x4000_0000
_CLONE_NEWUSER = 0x1000_0000
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


def confine(memory_limit_bytes: int) -> None:
    """Drop privileges that extraction does not need. Call it before any thread is started.

    Restrictions that the operating system lacks are skipped. The parent also enforces the limits
    of time and memory.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    if sys.platform == "linux":
        _confine_linux()
    if sys.platform != "win32":
        _limit_resources(memory_limit_bytes)


def _confine_linux() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # Root tries without a user namespace first, in which it could not read the files of others.
    if libc.unshare(_CLONE_NEWNET) and os.geteuid():
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


if sys.platform != "win32":
    import resource

    def _limit_resources(memory_limit_bytes: int) -> None:
        limits = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_FSIZE: 0,
            resource.RLIMIT_DATA: memory_limit_bytes,
        }
        for which, limit in limits.items():
            hard = resource.getrlimit(which)[1]
            allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(which, (allowed, allowed))
