"""Restricts files, network and signals with Landlock, the unprivileged sandbox of Linux."""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

__all__ = ["restrict", "supported_version"]

# System calls, and constants of linux/landlock.h. The numbers are the same on all architectures.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_GET_VERSION = 1
_RULE_PATH_BENEATH = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}  # by the version that adds it
_TCP_VERSION, _TCP_BIND_AND_CONNECT = 4, 0b11
_SCOPE_VERSION, _ABSTRACT_SOCKETS_AND_SIGNALS = 6, 0b11


class _RulesetAttributes(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def supported_version() -> int:
    """Version of the kernel's interface; 0 when Landlock is missing or switched off."""
    return max(_system_call(_CREATE_RULESET, None, ctypes.c_size_t(0), _GET_VERSION), 0)


def restrict(readable: Iterable[Path]) -> list[str]:
    """Restrict the calling thread and its future threads. Returns the active protections.

    Files below `readable` can be read. All other access to files that the kernel can restrict is
    denied, and so are TCP, signals to other processes and their abstract sockets. The process needs
    `no_new_privs`. Raises `OSError` when the kernel refuses.
    """
    version = supported_version()
    if not version:
        return []
    ruleset = _create_ruleset(version)
    try:
        for path in readable:
            with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                _allow_reading(ruleset, path)
        _check(_system_call(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    active = {1: "landlock_files", _TCP_VERSION: "landlock_tcp", _SCOPE_VERSION: "landlock_scopes"}
    return [name for needed, name in active.items() if version >= needed]


def _create_ruleset(version: int) -> int:
    attributes = _RulesetAttributes(
        files=sum(rights for needed, rights in _FILE_RIGHTS.items() if version >= needed),
        network=_TCP_BIND_AND_CONNECT if version >= _TCP_VERSION else 0,
        scoped=_ABSTRACT_SOCKETS_AND_SIGNALS if version >= _SCOPE_VERSION else 0,
    )
    # Older kernels accept the longer structure, because the fields that they lack are zero.
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    return _check(_system_call(_CREATE_RULESET, ctypes.byref(attributes), size, 0))


def _allow_reading(ruleset: int, path: Path) -> None:
    parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        is_folder = stat.S_ISDIR(os.fstat(parent).st_mode)
        rule = _PathBeneath(_READ_FILE | _READ_DIR if is_folder else _READ_FILE, parent)
        _check(_system_call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0))
    finally:
        os.close(parent)


def _system_call(number: int, *arguments: object) -> int:
    result: int = ctypes.CDLL(None, use_errno=True).syscall(number, *arguments)
    return result


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
