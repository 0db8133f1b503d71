"""The alerts: valid, tested, documented, and firing on a real Prometheus while there is trouble."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest

from raglive.store.pool import Database
from tests.deploy.prometheus_server import RULES, Prometheus, promtool
from tests.integration.status_server.serving import free_port, spawn
from tests.integration.status_server.test_pipeline_metrics import troubled
from tests.unit.docs.markdown import ROOT

RUNBOOK = ROOT / "docs" / "how-to" / "respond-to-alerts.md"
ALERTS = re.findall(r"alert: (\w+)", RULES.read_text("utf-8"))
OF_FILES = {"RagliveFilesStuck", "RaglivePipelinePaused", "RagliveDeletionsHeld"}


def test_promtool_accepts_rules_and_configuration_and_every_alert_fires_and_clears() -> None:
    for command in (
        ["check", "config", "prometheus.yml"],
        ["test", "rules", "rules_test.yaml"],
    ):
        checked = subprocess.run(
            [promtool(), *command],
            cwd=RULES.parent,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = re.findall(r'alertname="(\w+)"', (RULES.parent / "rules_test.yaml").read_text("utf-8"))
    assert sorted(tested) == sorted(ALERTS)


def test_every_alert_has_a_section_that_starts_with_a_command() -> None:
    text = RUNBOOK.read_text("utf-8")
    assert re.findall(r"^### (\w+)\n\n```sh\n", text, re.M) == ALERTS
    links = re.findall(r"runbook_url: \S+/(\S+)#(\w+)", RULES.read_text("utf-8"))
    assert links == [(RUNBOOK.name, name.lower()) for name in ALERTS]


@pytest.mark.disagrees
async def test_alerts_fire_while_there_is_trouble_and_clear_after_it(
    database: Database, tmp_path: Path
) -> None:
    record = await troubled(database)
    port = free_port()
    server = await spawn(database, port)
    try:
        async with Prometheus.scraping({"raglive-status": port}, tmp_path) as prometheus:
            await prometheus.until(*OF_FILES)
            server.send_signal(signal.SIGSTOP)
            await prometheus.until("RagliveStatusServerDown")
            server.send_signal(signal.SIGCONT)
            await prometheus.until(*OF_FILES)
            await record.set_paused(None)
            await record.clear_problem()
            await database.execute("DELETE FROM raglive.files")
            await prometheus.until()
    finally:
        server.kill()
        await server.wait()
