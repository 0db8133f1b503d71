"""A Prometheus with the rules of `deploy/prometheus`, for tests."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.integration.status_server.serving import free_port

__all__ = ["RULES", "Prometheus", "promtool"]

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yaml"
CONFIG = """
global: {scrape_interval: 500ms, scrape_timeout: 400ms, evaluation_interval: 500ms}
rule_files: [rules.yaml]
scrape_configs:
"""


def promtool() -> str:
    """Return the path of promtool; skip the test if it is not installed."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("Prometheus is not installed: apt install prometheus")
    return program


class Prometheus:
    """Scrapes twice a second, and evaluates the rules without their delays."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    @classmethod
    @asynccontextmanager
    async def scraping(cls, targets: Mapping[str, int], folder: Path) -> AsyncIterator[Prometheus]:
        """Run it with its files in `folder`, for the ports of each job."""
        promtool()
        jobs = [
            f"  - {{job_name: {job}, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}"
            for job, port in targets.items()
        ]
        (folder / "prometheus.yml").write_text(CONFIG + "\n".join(jobs))
        rules = RULES.read_text("utf-8")
        (folder / "rules.yaml").write_text(re.sub(r"\n +for: .*", "", rules))
        port = free_port()
        process = await asyncio.create_subprocess_exec(
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                yield cls(client)
        finally:
            process.terminate()
            await process.wait()

    async def firing(self) -> set[str]:
        """Return the names of the alerts that fire; empty while it starts."""
        with suppress(httpx.HTTPError):
            answer = await self._client.get("/api/v1/alerts")
            if answer.status_code == 200:
                return {one["labels"]["alertname"] for one in answer.json()["data"]["alerts"]}
        return set()

    async def until(self, *names: str) -> None:
        """Wait until exactly these alerts fire."""
        found: set[str] = set()
        try:
            async with asyncio.timeout(30):
                while (found := await self.firing()) != set(names):
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"these alerts fire: {sorted(found)}") from None
