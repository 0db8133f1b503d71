"""What a child may not do: outlive its parent, reach the network, write files, eat the memory."""

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
    """Give up what extraction needs not. Call it before any thread is started.

    What the operating system does not offer is left out; the parent watches time and memory too.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    if sys.platform == "linux":
        _confine_linux()
    if sys.platform != "win32":
        _limit_resources(memory_limit_bytes)


def _confine_linux() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # Root first without a user namespace, in which it would lose the right to read others' files.
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
