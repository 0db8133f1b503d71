"""The extraction child with a reader that has been taken over: it runs the code of its document.

Each document is JSON, `[attack, *arguments]`. The text is `done`, or the name of the error.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from raglive.extraction import child_main
from raglive.extraction.model import Extracted, ExtractionLimits

ATTACKS: dict[str, Callable[..., Any]] = {}
PTRACE_ATTACH = 16
PR_SET_PDEATHSIG = 1
PTRACE = {"x86_64": 101, "aarch64": 117}[platform.machine()]
GIVEN: list[int] = []


def attack(run: Callable[..., Any]) -> Callable[..., Any]:
    ATTACKS[run.__name__] = run
    return run


def call(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")


def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@attack
def innocent() -> None:
    threading.Thread(target=len, args=([],)).start()  # libraries use threads


@attack
def read(path: str) -> None:
    Path(path).read_bytes()


@attack
def list_folder(path: str) -> None:
    list(Path(path).iterdir())


@attack
def write(path: str) -> None:
    with Path(path).open("r+b") as file:
        file.write(b"x")


@attack
def create(path: str) -> None:
    Path(path).write_bytes(b"x")


@attack
def truncate(path: str) -> None:
    os.truncate(path, 0)


@attack
def delete(path: str) -> None:
    Path(path).unlink()


@attack
def rename(path: str) -> None:
    Path(path).rename(f"{path}.old")


@attack
def link(path: str) -> None:
    os.link(path, f"{path}.link")


@attack
def make_folder(path: str) -> None:
    Path(path, "made").mkdir()


@attack
def chmod(path: str) -> None:
    Path(path).chmod(0o777)


@attack
def touch(path: str) -> None:
    os.utime(path, (0, 0))


@attack
def set_attribute(path: str) -> None:
    os.setxattr(path, "user.raglive", b"x")


@attack
def write_descriptor() -> None:
    os.write(GIVEN[-1], b"x")


@attack
def reopen_descriptor() -> None:
    os.write(os.open(f"/proc/self/fd/{GIVEN[-1]}", os.O_RDWR), b"x")


@attack
def chmod_descriptor() -> None:
    os.fchmod(GIVEN[-1], 0o777)


@attack
def lock_descriptor() -> None:
    fcntl.flock(GIVEN[-1], fcntl.LOCK_SH)


@attack
def connect_path(path: str) -> None:
    socket.socket(socket.AF_UNIX).connect(path)


@attack
def connect_abstract(name: str) -> None:
    socket.socket(socket.AF_UNIX).connect(f"\0{name}")


@attack
def send_datagram(path: str) -> None:
    one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.sendto(b"x", path)


@attack
def connect_tcp(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), 2)


@attack
def listen_tcp() -> None:
    socket.create_server(("127.0.0.1", 0))


@attack
def send_udp(port: int) -> None:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port))


@attack
def netlink() -> None:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)


@attack
def fork() -> None:
    if not os.fork():
        os._exit(0)


@attack
def spawn() -> None:
    subprocess.run(["/bin/true"], check=True)


@attack
def execute() -> None:
    os.execv("/bin/true", ["true"])


@attack
def setsid() -> None:
    os.setsid() if os.getsid(0) != os.getpid() else os.setpgid(0, os.getppid())


@attack
def forget_parent() -> None:
    call(libc().prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0))


@attack
def trace(pid: int) -> None:
    call(libc().syscall(PTRACE, PTRACE_ATTACH, pid, 0, 0))


@attack
def read_memory(pid: int) -> None:
    Path(f"/proc/{pid}/mem").open("rb").close()


@attack
def send_signal(pid: int) -> None:
    os.kill(pid, signal.SIGCONT)


@attack
def signal_group(pid: int) -> None:
    os.killpg(os.getpgid(pid), signal.SIGCONT)


@attack
def own_signals(pid: int) -> None:
    one, _ = socket.socketpair()
    fcntl.fcntl(one, fcntl.F_SETOWN, pid)


@attack
def limit(pid: int) -> None:
    import resource  # noqa: PLC0415 - after confinement

    resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


@attack
def schedule(pid: int) -> None:
    os.setpriority(os.PRIO_PROCESS, pid, 19)


@attack
def unshare() -> None:
    call(libc().unshare(0x1000_0000))


@attack
def mount() -> None:
    call(libc().mount(b"none", b"/tmp", b"tmpfs", 0, None))


@attack
def io_uring() -> None:
    call(libc().syscall(425, 1, ctypes.byref((ctypes.c_char * 120)())))


@attack
def shared_memory() -> None:
    call(libc().shmget(0, 4096, 0o1600))


@attack
def watch(path: str) -> None:
    call(libc().inotify_add_watch(libc().inotify_init1(0), path.encode(), 0xFFF))


@attack
def too_many_threads() -> None:
    wait = threading.Event()
    try:
        for _ in range(500):
            threading.Thread(target=wait.wait, daemon=True).start()
    except RuntimeError:
        raise OSError(errno.EAGAIN, "refused") from None
    finally:
        wait.set()


@attack
def too_many_files() -> None:
    held = []
    try:
        for _ in range(5000):
            held.append(os.open(os.devnull, os.O_RDONLY))  # noqa: PERF401 - closed on errors
    finally:
        for descriptor in held:
            os.close(descriptor)


def read_file(document: int, _name: str, _hint: str | None, _limits: ExtractionLimits) -> Extracted:
    GIVEN.append(document)
    name, *arguments = orjson.loads(os.pread(document, 1 << 16, 0))
    try:
        ATTACKS[name](*arguments)
    except (OSError, ctypes.ArgumentError) as error:
        return Extracted(errno.errorcode.get(getattr(error, "errno", 0) or 0, repr(error)), "x/x")
    return Extracted("done", "x/x")


if __name__ == "__main__":
    child_main.read_file = read_file  # type: ignore[assignment, attr-defined]
    child_main.main(sys.argv[1:])
