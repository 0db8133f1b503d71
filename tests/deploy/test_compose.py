"""`deploy/compose.yaml` on a real engine: it indexes, is monitored, and stays live as parts die."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import socketio

from tests.deploy.docker_engine import BASE_IMAGE, Docker, docker_engine
from tests.deploy.installed import ROOT, run
from tests.integration.status_server.serving import free_port

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(1500)]

HERE = Path(__file__).parent
NAMESPACE = "/local_files"
SERVERS = ("status-1", "status-2", "dashboard-1", "dashboard-2")
KILLED = ("redis", *SERVERS, "local-files", "postgres", "proxy")
WITHOUT_INDEXING = ("local-files", "postgres", "proxy")
SECONDS = 120


class Installation:
    """The services of the Compose file, started as deploy/README.md says."""

    def __init__(self, docker: Docker, folder: Path) -> None:
        self.docker = docker
        self.documents = folder / "documents"
        self.url = f"https://127.0.0.1:{(https := free_port())}"
        self.prometheus = f"http://127.0.0.1:{(prometheus := free_port())}"
        self._environment = folder / "env"
        certificates = folder / "certificates"
        self.documents.mkdir()
        certificates.mkdir()
        settings = {
            "RAGLIVE_HOSTNAME": "127.0.0.1",
            "RAGLIVE_JWT_SECRET": "for-tests-only-" * 3,
            "POSTGRES_PASSWORD": "fortestsonly",
            "DOCUMENTS": self.documents,
            "CERTIFICATES": certificates,
            "POSTGRES_IMAGE": "raglive",
            **dict.fromkeys(("NGINX_IMAGE", "REDIS_IMAGE", "PROMETHEUS_IMAGE"), BASE_IMAGE),
            "HTTPS_PORT": f"127.0.0.1:{https}",
            "HTTP_PORT": f"127.0.0.1:{free_port()}",
            "PROMETHEUS_PORT": prometheus,
            "TEST_FOLDER": HERE,
        }
        self._environment.write_text("".join(f"{key}={it}\n" for key, it in settings.items()))
        key, chain = certificates / "privkey.pem", certificates / "fullchain.pem"
        subject = ("-subj", "/CN=127.0.0.1", "-keyout", key, "-out", chain)
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject)

    def compose(self, *command: str) -> str:
        files = ("-f", ROOT / "deploy/compose.yaml", "-f", HERE / "compose.test.yaml")
        settings = ("--env-file", self._environment, "-p", "raglive-test")
        return self.docker.run("docker-compose", *settings, *files, *command)

    def write(self, name: str) -> None:
        (self.documents / f"{name}.txt").write_text(f"The subject of this is {name}.")

    def kill(self, service: str) -> None:
        self.docker.run("docker", "kill", f"raglive-test_{service}_1")

    def start(self, service: str) -> None:
        self.docker.run("docker", "start", f"raglive-test_{service}_1")


class StayingViewer:
    """A stock client that connects again by itself, and subscribes with the cursor that it has."""

    def __init__(self) -> None:
        self.socket = socketio.AsyncClient(
            ssl_verify=False, reconnection_delay=0.2, reconnection_delay_max=1, handle_sigint=False
        )
        self.events: list[dict[str, Any]] = []
        self.connections = 0
        self._cursor: str | None = None
        self.socket.on("connect", self._subscribe, namespace=NAMESPACE)
        self.socket.on("*", self._note, namespace=NAMESPACE)

    async def _subscribe(self) -> None:
        self.connections += 1
        cursor = {} if self._cursor is None else {"cursor": self._cursor}
        with suppress(socketio.exceptions.SocketIOError):
            await self.socket.emit("subscribe", cursor, namespace=NAMESPACE)

    async def _note(self, _kind: str, body: Any = None) -> None:
        for event in body.get("events", [body]) if isinstance(body, dict) else ():
            if "seq" in event and "cursor" in event and "id" in event:
                self.events.append(event)
                self._cursor = event["cursor"]

    async def until_completed(self, name: str) -> None:
        async with asyncio.timeout(SECONDS):
            while not any(
                event["type"] == "file:completed" and event["file"]["name"] == f"{name}.txt"
                for event in self.events
            ):
                await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="raglive-compose-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("engine", "build", "files"):
            (folder / part).mkdir()
        with docker_engine(folder / "engine") as docker:
            docker.build_images(folder / "build")
            installed = Installation(docker, folder / "files")
            try:
                yield installed
            finally:
                installed.compose("down", "--volumes", "--timeout", "5")


async def test_it_serves_and_stays_live_while_each_service_dies(installation: Installation) -> None:
    installation.write("first")
    await asyncio.to_thread(installation.compose, "up", "-d")
    command = ("exec", "-T", "status-1", "raglive", "token", "--role", "operator")
    token = (await asyncio.to_thread(installation.compose, *command)).split()[-1]
    headers = {"Authorization": f"Bearer {token}"}
    client = httpx.AsyncClient(base_url=installation.url, verify=False, headers=headers, timeout=30)

    async def found(name: str) -> None:
        async with asyncio.timeout(SECONDS):
            while True:
                with suppress(httpx.HTTPError):
                    answer = await client.get("/v1/search", params={"q": name, "mode": "text"})
                    hits = answer.json()["hits"] if answer.status_code == 200 else []
                    if any(hit["file"]["name"] == f"{name}.txt" for hit in hits):
                        return
                await asyncio.sleep(0.2)

    viewer = StayingViewer()
    async with client:
        await found("first")
        assert "<script" in (await client.get("/")).text
        assert (await client.get("/metrics")).status_code == 404
        await viewer.socket.connect(
            installation.url, auth={"token": token}, namespaces=[NAMESPACE], wait_timeout=30
        )
        installation.write("second")
        await viewer.until_completed("second")
        await every_process_is_scraped(installation.prometheus)
        for service in KILLED:
            installation.kill(service)
            if service not in WITHOUT_INDEXING:
                installation.write(f"without-{service}")
                await viewer.until_completed(f"without-{service}")
                await found(f"without-{service}")
            installation.start(service)
            installation.write(f"after-{service}")
            await viewer.until_completed(f"after-{service}")
            await found(f"after-{service}")
    seqs = [event["seq"] for event in viewer.events]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs))), "lost, repeated or reordered"
    assert viewer.connections >= 3
    await viewer.socket.disconnect()


async def every_process_is_scraped(prometheus: str) -> None:
    async with httpx.AsyncClient(base_url=prometheus) as client, asyncio.timeout(SECONDS):
        while True:
            answer = await client.get("/api/v1/query", params={"query": "raglive_database_up == 1"})
            scraped = {one["metric"]["instance"] for one in answer.json()["data"]["result"]}
            if len(scraped) == len(SERVERS) + 1:
                return
            await asyncio.sleep(0.5)
