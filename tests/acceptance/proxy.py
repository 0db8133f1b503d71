"""nginx, HAProxy and Caddy with the files of deploy/proxy, on ports of a test."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.installation import accepts_connections

__all__ = [
    "FILES",
    "HOST",
    "PROXIES",
    "RESOLVER_RULES",
    "Proxy",
    "Site",
    "Variant",
    "running_proxy",
]

HOST = "rag.example.com"
RESOLVER_RULES = f"--host-resolver-rules=MAP {HOST} 127.0.0.1"
START_SECONDS = 10.0
STOP_SECONDS = 10.0
FILES = Path(__file__).parents[2] / "deploy/proxy"


@dataclass(frozen=True, slots=True)
class Site:
    """The servers behind the proxies, and the folder of the certificate."""

    status_port: int
    second_status_port: int
    dashboard_port: int
    folder: Path

    def create_certificate(self) -> None:
        """Create a self-signed certificate; `combined.pem` has its private key too."""
        certificate, key = self.folder / "fullchain.pem", self.folder / "privkey.pem"
        command = (
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        )
        names = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST},IP:127.0.0.1"]
        files = ["-out", str(certificate), "-keyout", str(key)]
        subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
        (self.folder / "combined.pem").write_text(certificate.read_text() + key.read_text())


class Proxy:
    """A proxy as an ordinary process, with its documented configuration on `port`."""

    def __init__(self, name: str, command: list[str], port: int, folder: Path) -> None:
        self.name = name
        self.port = port
        self._command = command
        self._folder = folder
        self._log = folder / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        with self._log.open("a") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                env=os.environ | {"HOME": str(self._folder)},
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(START_SECONDS):
            while not await accepts_connections(self.port):
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


def _nginx(text: str, site: Site, port: int, variants: Iterable[Variant]) -> str:
    server = text[text.index("    server {\n        listen 443 ") : text.rindex("}")]
    copies = [
        _replaced(server, {"listen 443 ": f"listen 127.0.0.1:{variant.port} ", **variant.changes})
        for variant in variants
    ]
    temporary = "".join(
        f"    {each}_temp_path {site.folder}/{each};\n"
        for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    changes = {
        "listen 80;": f"listen 127.0.0.2:{port};",
        "listen 443 ": f"listen 127.0.0.1:{port} ",
        "http {\n": f"http {{\n    access_log off;\n{temporary}",
    }
    return _replaced(text, {server: "".join([server, *copies]), **changes})


def _haproxy(text: str, _site: Site, port: int, _variants: Iterable[Variant]) -> str:
    changes = {"bind :80\n": f"bind 127.0.0.2:{port}\n", "bind :443 ": f"bind 127.0.0.1:{port} "}
    return _replaced(text, {"maxconn 8000": "maxconn 100", **changes})


def _caddy(text: str, _site: Site, port: int, _variants: Iterable[Variant]) -> str:
    options = f"{{\n\tadmin off\n\tauto_https disable_redirects\n\thttps_port {port}\n}}\n"
    site_block = f"{HOST} {{\n"
    return _replaced(text, {site_block: f"{options}{site_block}\tbind 127.0.0.1\n"})


@dataclass(frozen=True, slots=True)
class Variant:
    """A further server of nginx on its own port: the documented one with changes to its text."""

    port: int
    changes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Kind:
    file_name: str
    configuration: Callable[[str, Site, int, Iterable[Variant]], str]
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


def _replaced(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, f"the configuration has no {old!r}"
        text = text.replace(old, new)
    return text


def _with_optional_settings(text: str) -> str:
    """Uncomment the settings, which have no space after the `#`."""
    return re.sub(r"(?m)^(\s*)#(?=\S)", r"\1", text)


@asynccontextmanager
async def running_proxy(
    name: str, site: Site, port: int, variants: Iterable[Variant] = ()
) -> AsyncIterator[Proxy]:
    """Run a proxy with its file of deploy/proxy, at `/` and `/rag/`; skip where not installed."""
    kind = PROXIES[name]
    search_path = os.environ.get("PATH", "") + ":/usr/sbin"
    program = shutil.which(name, path=search_path)
    if program is None:
        pytest.skip(f"{name} is not installed: apt install {name}")
    text = _with_optional_settings((FILES / kind.file_name).read_text("utf-8"))
    places = {
        "127.0.0.1:8103": f"127.0.0.1:{site.status_port}",
        "127.0.0.1:8113": f"127.0.0.1:{site.second_status_port}",
        "127.0.0.1:3000": f"127.0.0.1:{site.dashboard_port}",
        "/etc/ssl/raglive": str(site.folder),
    }
    file = site.folder / kind.file_name
    file.write_text(_replaced(kind.configuration(text, site, port, variants), places), "utf-8")
    proxy = Proxy(name, [program, *kind.command(file)[1:]], port, site.folder)
    try:
        await proxy.start()
        yield proxy
    finally:
        await proxy.stop()
