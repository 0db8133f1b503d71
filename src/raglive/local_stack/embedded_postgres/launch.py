"""Runs in the child before Postgres: changes the account, and makes the child end with its parent.

A script, run by a fresh interpreter (`python -I -S`), because none of this is safe between fork and
exec in a process with threads. It uses only the standard library.
"""

from __future__ import annotations

import ctypes
import os
import sys

CANNOT_BECOME = 120
_NEW_USER_NAMESPACE = 0x10000000
_SET_PARENT_DEATH_SIGNAL = 1


def main(mode: str, uid: str, gid: str, parent: str, death_signal: str, *command: str) -> None:
    """Change the account according to `mode`, then exec `command`; without one, only test it."""
    try:
        if mode == "namespace":
            enter_user_namespace(int(uid), int(gid))
        elif mode == "account":
            os.setgroups([])
            os.setgid(int(gid))
            os.setuid(int(uid))
    except OSError as error:
        sys.stderr.write(f"cannot run as {mode} {uid}: {error}\n")
        sys.exit(CANNOT_BECOME)
    if command:
        # After the change of account, which resets the death signal.
        die_with_parent(int(parent), int(death_signal))
        os.umask(0o077)
        os.execv(command[0], command)  # noqa: S606 - without a shell


def enter_user_namespace(uid: int, gid: int) -> None:
    """Enter a user namespace in which this account has the id `uid`."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_USER_NAMESPACE) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"{uid} {outer_uid} 1")
    write("/proc/self/gid_map", f"{gid} {outer_gid} 1")


def die_with_parent(parent: int, death_signal: int) -> None:
    """Have Linux send `death_signal` when the parent ends; do nothing on other systems."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, death_signal, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the request
        sys.exit(CANNOT_BECOME)


def write(path: str, text: str) -> None:
    """Write `text` in one call, which the files of /proc require."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    main(*sys.argv[1:])
