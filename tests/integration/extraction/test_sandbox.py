"""A reader that has been taken over, run as an ordinary user, reaches only its document."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from raglive.extraction import sandbox
from raglive.extraction.landlock import supported_version

ROOT = Path(__file__).parents[3]
NOBODY = 65534

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="what Linux offers"),
    pytest.mark.skipif(supported_version() < 4, reason="this kernel lacks Landlock's version 4"),
]

REFUSED = {"EPERM", "EACCES", "EBADF", "ENOSYS", "EEXIST"}
BOUNDED = {"too_many_threads": "EAGAIN", "too_many_files": "EMFILE"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of the attacked user, outside pytest's own, which only root can enter."""
    path = Path(tempfile.mkdtemp(prefix="raglive-sandbox-"))
    yield path
    shutil.rmtree(path)


# Shows the interpreter to another user although it is installed in a home that only root can enter.
SHOW = """
mount --bind "$1" /mnt && mount -t tmpfs -o mode=755 none "$2" && mkdir -p "$1" || exit 77
mount --move /mnt "$1" && shift 2 || exit 77
exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
"""


def command() -> list[str]:
    """Run the attacks as an ordinary user, also where the tests run as root."""
    attacks = [sys.executable, "-m", "tests.integration.extraction.attacking_parent"]
    if os.geteuid():
        return attacks
    prefix = Path(sys.base_prefix)
    closed = [path for path in prefix.parents if not path.stat().st_mode & 0o001]
    if not closed:
        return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *attacks]
    return ["unshare", "-m", "sh", "-c", SHOW, "sh", str(prefix), str(closed[-1]), *attacks]


async def attack(folder: Path, attacks: dict[str, list[Any]]) -> dict[str, Any]:
    (folder / "tmp").mkdir(exist_ok=True)
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    process = await asyncio.create_subprocess_exec(
        *command(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(folder / "tmp"), "SECRET": "hunter2"},
    )
    async with asyncio.timeout(60):
        given = orjson.dumps({"folder": str(folder), "attacks": attacks})
        output, _ = await process.communicate(given)
    if process.returncode == 77:
        pytest.skip("the interpreter cannot be shown to an ordinary user")
    assert process.returncode == 0
    answer: dict[str, Any] = orjson.loads(output)
    return answer


async def test_nothing_that_a_hostile_reader_tries_succeeds(folder: Path) -> None:
    home = folder / "home"
    (home / ".ssh").mkdir(parents=True)
    key = home / ".ssh" / "id_ed25519"
    key.write_text("a private key")
    path_socket, datagrams = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX, 2)
    abstract, tcp, udp = (
        socket.socket(socket.AF_UNIX),
        socket.create_server(("127.0.0.1", 0)),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    )
    udp.bind(("127.0.0.1", 0))
    path_socket.bind(str(folder / "path"))
    path_socket.listen()
    datagrams.bind(str(folder / "datagrams"))
    abstract.bind(f"\0{folder.name}")
    abstract.listen()
    one = [str(key)]
    attacks: dict[str, list[Any]] = {
        "read": one,
        "list_folder": [str(home)],
        "read:environment": ["/proc/PARENT/environ"],
        "read:accounts": ["/etc/passwd"],
        **dict.fromkeys(("write", "truncate", "delete", "rename", "link", "chmod"), one),
        **dict.fromkeys(("touch", "set_attribute"), one),
        "watch": [str(home)],
        "create": [str(home / "new")],
        "create:in its own folder": [str(folder / "tmp" / "new")],
        "make_folder": [str(home)],
        "connect_path": [str(folder / "path")],
        "connect_abstract": [folder.name],
        "send_datagram": [str(folder / "datagrams")],
        "connect_tcp": [tcp.getsockname()[1]],
        "send_udp": [udp.getsockname()[1]],
        **{
            name: ["PARENT"]
            for name in (
                *("trace", "read_memory", "send_signal", "signal_group"),
                *("own_signals", "limit", "schedule"),
            )
        },
        **{
            name: []
            for name in (
                *("listen_tcp", "netlink", "fork", "spawn", "execute", "setsid", "forget_parent"),
                *("unshare", "mount", "io_uring", "shared_memory", "write_descriptor"),
                *("reopen_descriptor", "chmod_descriptor", "lock_descriptor"),
                *("too_many_threads", "too_many_files"),
            )
        },
    }
    try:
        answer = await attack(folder, {"innocent": [], **attacks})
    finally:
        for opened in (path_socket, datagrams, abstract, tcp, udp):
            opened.close()
    results = answer["results"]
    assert results.pop("innocent") == "done"
    succeeded = {
        name: result
        for name, result in results.items()
        if result not in ({BOUNDED[name]} if name in BOUNDED else REFUSED)
    }
    assert "namespaces" in answer["sandbox"]["active"] or succeeded.pop("too_many_threads")
    assert succeeded == {}
    assert key.read_text() == "a private key"
    assert sorted(path.name for path in home.rglob("*")) == [".ssh", "id_ed25519"]
    assert set(answer["sandbox"]["active"]) | set(answer["sandbox"]["missing"]) == set(
        sandbox.PROTECTIONS
    )


async def test_a_child_cannot_read_the_data_folder_or_the_code_of_its_user(folder: Path) -> None:
    data = folder / ".local" / "share" / "raglive"
    data.mkdir(parents=True)
    (data / "jwt.secret").write_text("secret")
    attacks: dict[str, list[Any]] = {
        "read": [str(data / "jwt.secret")],
        "read:repository": [str(ROOT / "pyproject.toml")],
    }
    assert set((await attack(folder, attacks))["results"].values()) == {"EACCES"}
