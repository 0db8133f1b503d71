"""Denies system calls that extraction does not need, with a seccomp filter in classic BPF."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys

from raglive.extraction.system_calls import DENIED, INSPECTED, NEWEST_CALL

__all__ = ["install_filter"]

_ARCHITECTURES = {"x86_64": (0, 0xC000_003E), "aarch64": (1, 0xC000_00B7)}  # linux/audit.h
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER, _ALL_THREADS = 1, 1

# Operations of linux/bpf_common.h, and results of linux/seccomp.h.
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF_0000, 0x8000_0000, 0x0005_0000
_DENY, _UNKNOWN = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
_EXISTS = _ERRNO | errno.EEXIST

# Offsets in `struct seccomp_data`. Arguments have 64 bits, little-endian.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

_CLONE_THREAD = 0x1_0000
_WRITE_FLAGS = 0o1 | 0o2 | 0o100 | 0o1000  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC
_AF_UNIX, _SOCK_STREAM, _SOCKET_TYPE = 1, 1, 0xF
_PRCTL_ALLOWED = (15, 16, 0x5356_4D41)  # PR_SET_NAME, PR_GET_NAME, PR_SET_VMA
_IOCTL_ALLOWED = (0x5401, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS, FIO{NREAD,NBIO,NCLEX,CLEX}
# F_SETLK, F_SETLKW, F_SETOWN, F_SETSIG, F_SETOWN_EX, F_OFD_SETLK, F_OFD_SETLKW, F_SETLEASE and
# F_NOTIFY
_FCNTL_DENIED = (6, 7, 8, 10, 15, 37, 38, 1024, 1026)

_Instruction = tuple[int, int, int, int]  # operation, jump if true, jump if false, operand


class _Filter(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("jump_true", ctypes.c_uint8),
        ("jump_false", ctypes.c_uint8),
        ("operand", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Filter)))


def install_filter() -> bool:
    """Install the filter for all threads of this process; return whether it is active.

    Denied calls fail with EPERM, calls newer than the reviewed ones with ENOSYS. A call of another
    architecture kills the process. The process needs `no_new_privs`.
    """
    machine = platform.machine()
    if machine not in _ARCHITECTURES or sys.maxsize < 2**32:
        return False
    instructions = _program(*_ARCHITECTURES[machine])
    filters = (_Filter * len(instructions))(*(_Filter(*one) for one in instructions))
    program = _Program(len(instructions), filters)
    libc = ctypes.CDLL(None, use_errno=True)
    number = _SECCOMP[machine]
    failed: int = libc.syscall(number, _SET_MODE_FILTER, _ALL_THREADS, ctypes.byref(program))
    return not failed


def _program(column: int, architecture: int) -> list[_Instruction]:
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, NEWEST_CALL + 1),
        (_RETURN, 0, 0, _UNKNOWN),
    ]
    for name, rule in _argument_rules().items():
        number = INSPECTED[name][column]
        if number is not None:
            program += [(_EQUAL, 0, len(rule), number), *rule]
    for numbers in DENIED.values():
        if (number := numbers[column]) is not None:
            program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _DENY)]
    return [*program, (_RETURN, 0, 0, _ALLOW)]


def _argument_rules() -> dict[str, list[_Instruction]]:
    own_pid = os.getpid()
    return {
        "clone": _if_bits(0, _CLONE_THREAD, _ALLOW, _DENY),
        "clone3": [(_RETURN, 0, 0, _UNKNOWN)],  # its flags are in memory; libc then uses clone
        # Libraries create their folders, which exist, and accept this error only.
        "mkdir": [(_RETURN, 0, 0, _EXISTS)],
        "mkdirat": [(_RETURN, 0, 0, _EXISTS)],
        "open": _if_bits(1, _WRITE_FLAGS, _DENY, _ALLOW),
        "openat": _if_bits(2, _WRITE_FLAGS, _DENY, _ALLOW),
        "kill": _if_among(0, (own_pid,), _ALLOW, _DENY),
        "tgkill": _if_among(0, (own_pid,), _ALLOW, _DENY),  # abort() signals its own thread
        "prctl": _if_among(0, _PRCTL_ALLOWED, _ALLOW, _DENY),
        "ioctl": _if_among(1, _IOCTL_ALLOWED, _ALLOW, _DENY),
        "fcntl": _if_among(1, _FCNTL_DENIED, _DENY, _ALLOW),
        "socketpair": _socketpair_rule(),
        "prlimit64": _prlimit_rule(own_pid),
    }


def _if_bits(argument: int, bits: int, then: int, otherwise: int) -> list[_Instruction]:
    return [
        (_LOAD, 0, 0, _low(argument)),
        (_ANY_BIT, 0, 1, bits),
        (_RETURN, 0, 0, then),
        (_RETURN, 0, 0, otherwise),
    ]


def _if_among(
    argument: int, values: tuple[int, ...], then: int, otherwise: int
) -> list[_Instruction]:
    checks = [(_EQUAL, len(values) - at, 0, value) for at, value in enumerate(values)]
    # The last check is followed by the result for other values.
    return [
        (_LOAD, 0, 0, _low(argument)),
        *checks,
        (_RETURN, 0, 0, otherwise),
        (_RETURN, 0, 0, then),
    ]


def _socketpair_rule() -> list[_Instruction]:
    """Allow connected pairs of stream sockets, which the PDF library's thread pool creates."""
    return [
        (_LOAD, 0, 0, _low(0)),
        (_EQUAL, 0, 4, _AF_UNIX),
        (_LOAD, 0, 0, _low(1)),
        (_AND, 0, 0, _SOCKET_TYPE),
        (_EQUAL, 0, 1, _SOCK_STREAM),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _DENY),
    ]


def _prlimit_rule(own_pid: int) -> list[_Instruction]:
    """Allow reading this process's own limits: the pointer to new limits must be null."""
    return [
        (_LOAD, 0, 0, _low(0)),
        (_EQUAL, 1, 0, 0),
        (_EQUAL, 0, 5, own_pid),
        (_LOAD, 0, 0, _low(2)),
        (_EQUAL, 0, 3, 0),
        (_LOAD, 0, 0, _low(2) + 4),
        (_EQUAL, 0, 1, 0),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _DENY),
    ]


def _low(argument: int) -> int:
    return _ARGUMENTS + 8 * argument
