"""nginx, HAProxy and Caddy with the files of deploy/proxy, on ports of a test."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.installation import accepts_connections

__all__ = ["FILES", "HOST", "PROXIES", "Proxy", "Site", "running_proxy"]

HOST = "rag.example.com"
START_SECONDS = 10.0
STOP_SECONDS = 10.0
FILES = Path(__file__).parents[2] / "deploy/proxy"


@dataclass(frozen=True, slots=True)
class Site:
    """The ports of a proxy and of the servers behind it, and the folder of its certificate."""

    http_port: int
    https_port: int
    status_port: int
    dashboard_port: int
    folder: Path

    @property
    def resolver_rules(self) -> str:
        """The rules with which Chromium finds the proxy at the public name and ports."""
        return (
            f"MAP {HOST}:443 127.0.0.1:{self.https_port}, MAP {HOST}:80 127.0.0.1:{self.http_port}"
        )

    def create_certificate(self) -> None:
        """Create a self-signed certificate; `combined.pem` has its private key too."""
        certificate, key = self.folder / "fullchain.pem", self.folder / "privkey.pem"
        command = (
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        )
        names = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
        files = ["-out", str(certificate), "-keyout", str(key)]
        subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
        (self.folder / "combined.pem").write_text(certificate.read_text() + key.read_text())


class Proxy:
    """A proxy as an ordinary process."""

    def __init__(self, command: list[str], site: Site) -> None:
        self._command = command
        self._site = site
        self._log = site.folder / "proxy.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        with self._log.open("a") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                env=os.environ | {"HOME": str(self._site.folder)},
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(START_SECONDS):
            while not await accepts_connections(self._site.https_port):
                assert self._process.returncode is None, self._log.read_text()
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Stop it, without waiting for the connections through it."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        if process.returncode is None:
            process.kill()
            await process.wait()


def _nginx(site: Site) -> dict[str, str]:
    temporary = "\n".join(
        f"    {each}_temp_path {site.folder}/{each};"
        for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return {
        "listen 80;": f"listen 127.0.0.1:{site.http_port};",
        "listen 443 ": f"listen 127.0.0.1:{site.https_port} ",
        "http {\n": f"http {{\n    access_log off;\n{temporary}\n",
    }


def _haproxy(site: Site) -> dict[str, str]:
    return {
        "maxconn 8000": "maxconn 100",
        "bind :80\n": f"bind 127.0.0.1:{site.http_port}\n",
        "bind :443 ": f"bind 127.0.0.1:{site.https_port} ",
    }


def _caddy(site: Site) -> dict[str, str]:
    listening = f"admin off\n\tauto_https disable_redirects\n\thttps_port {site.https_port}"
    return {
        f"{HOST} {{\n": f"{{\n\t{listening}\n}}\n{HOST} {{\n\tbind 127.0.0.1\n",
        "# tls /etc": "tls /etc",
    }


@dataclass(frozen=True, slots=True)
class _Kind:
    file_name: str
    substitutions: Callable[[Site], dict[str, str]]
    command: Callable[[Path], list[str]]


def _nginx_command(file: Path) -> list[str]:
    options = f"user root; daemon off; worker_processes 1; pid {file}.pid;"
    return ["nginx", "-c", str(file), "-p", str(file.parent), "-e", "stderr", "-g", options]


PROXIES = {
    "nginx": _Kind("nginx.conf", _nginx, _nginx_command),
    "haproxy": _Kind("haproxy.cfg", _haproxy, lambda file: ["haproxy", "-db", "-f", str(file)]),
    "caddy": _Kind(
        "Caddyfile",
        _caddy,
        lambda file: ["caddy", "run", "--adapter", "caddyfile", "--config", str(file)],
    ),
}


@asynccontextmanager
async def running_proxy(
    name: str, site: Site, changes: Mapping[str, str] | None = None
) -> AsyncIterator[Proxy]:
    """Run a proxy with its file of deploy/proxy; skip where it is not installed.

    `changes` are further substitutions. Each text must occur in the file.
    """
    kind = PROXIES[name]
    search_path = os.environ.get("PATH", "") + ":/usr/sbin"
    program = shutil.which(name, path=search_path)
    if program is None:
        pytest.skip(f"{name} is not installed: apt install {name}")
    text = (FILES / kind.file_name).read_text("utf-8")
    ports = {
        "127.0.0.1:8103": f"127.0.0.1:{site.status_port}",
        "127.0.0.1:3000": f"127.0.0.1:{site.dashboard_port}",
        "/etc/ssl/raglive": str(site.folder),
    }
    for old, new in {**kind.substitutions(site), **ports, **(changes or {})}.items():
        assert old in text, f"{kind.file_name} has no {old!r}"
        text = text.replace(old, new)
    file = site.folder / kind.file_name
    file.write_text(text, "utf-8")
    proxy = Proxy([program, *kind.command(file)[1:]], site)
    try:
        await proxy.start()
        yield proxy
    finally:
        await proxy.stop()
