"""Confines a child process: no files but its libraries, no network, no other processes.

What holds depends on the kernel; `confine` returns what is active. The kernel enforces it for the
rest of the child's life, even if a document takes over the reader. macOS has only the resource
limits, and Windows has none of these protections.
"""

from __future__ import annotations

import ctypes
import signal
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from raglive.extraction import landlock, seccomp

__all__ = ["PROTECTIONS", "Limits", "confine"]

PROTECTIONS = (
    "landlock_files",
    "landlock_tcp",
    "landlock_scopes",
    "seccomp",
    "namespaces",
    "parent_death_signal",
    "resource_limits",
)

_CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWNET = 0x0800_0000, 0x1000_0000, 0x4000_0000
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION = 0x2008_0522  # linux/capability.h

_MAX_THREADS = 64
_MAX_OPEN_FILES = 128
_MAX_SHARED_BYTES = 8 << 30  # address space without memory: libraries, stacks and reservations

_SYSTEM_FILES = (
    *("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib"),
    *("/nix/store", "/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/localtime"),
    *("/usr/share/zoneinfo", "/usr/share/fonts", "/usr/local/share/fonts", "/usr/share/locale"),
    *("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"),
    *("/proc/meminfo", "/proc/cpuinfo", "/sys/devices/system/cpu"),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Memory and processor time of a child process."""

    memory_bytes: int
    cpu_seconds: int


def confine(limits: Limits, readable: Iterable[Path] = ()) -> list[str]:
    """Drop privileges that extraction does not need. Returns the active protections.

    `readable` are folders besides the interpreter and its libraries. Call it before any thread is
    started, because Landlock does not restrict threads that already run. Restrictions that the
    operating system lacks are skipped. The parent also enforces the limits of time and memory.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    active: list[str] = []
    has_namespace = False
    libc = None
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        has_namespace = _enter_namespaces(libc)
        active += ["namespaces"] if has_namespace else []
    if sys.platform != "win32":
        _limit_resources(limits, has_namespace=has_namespace)
        active.append("resource_limits")
    if libc is not None:
        active += _restrict_linux(libc, readable)
    return [name for name in PROTECTIONS if name in active]


def _enter_namespaces(libc: ctypes.CDLL) -> bool:
    """Leave the network and the System V objects of the user, where the kernel permits it."""
    alone = _CLONE_NEWNET | _CLONE_NEWIPC
    return not (libc.unshare(_CLONE_NEWUSER | alone) and libc.unshare(alone))


def _restrict_linux(libc: ctypes.CDLL, readable: Iterable[Path]) -> list[str]:
    _drop_capabilities(libc)
    active = (
        [] if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) else ["parent_death_signal"]
    )
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    active += landlock.restrict([*map(Path, _SYSTEM_FILES), *_python_files(), *readable])
    if seccomp.install_filter():
        active.append("seccomp")
    return active


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    libc.capset(ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)()))


def _python_files() -> Iterator[Path]:
    """Yield the standard library, installed packages, and packages imported from elsewhere.

    The import path itself is not readable: it may contain the user's working folder.
    """
    for name in ("stdlib", "platstdlib", "purelib", "platlib"):
        yield Path(sysconfig.get_path(name))
    yield Path(sys.base_prefix, "lib")
    yield from map(Path, site.getsitepackages())
    yield from (Path(entry) for entry in sys.path if entry.endswith("-packages"))
    for name, module in list(sys.modules.items()):
        if "." not in name:
            yield from map(Path, getattr(module, "__path__", ()))


if sys.platform != "win32":
    import resource

    def _limit_resources(limits: Limits, *, has_namespace: bool) -> None:
        wanted = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_FSIZE: 0,
            resource.RLIMIT_DATA: limits.memory_bytes,
            resource.RLIMIT_CPU: limits.cpu_seconds,
            resource.RLIMIT_NOFILE: _MAX_OPEN_FILES,
        }
        if sys.platform == "linux":
            wanted[resource.RLIMIT_AS] = limits.memory_bytes + _MAX_SHARED_BYTES
        if has_namespace:  # elsewhere the limit counts all threads of the user
            wanted[resource.RLIMIT_NPROC] = _MAX_THREADS
        if sys.platform == "darwin":  # it counts processes, of which a child needs no other
            wanted[resource.RLIMIT_NPROC] = 1
        for which, limit in wanted.items():
            hard = resource.getrlimit(which)[1]
            allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(which, (allowed, allowed))
