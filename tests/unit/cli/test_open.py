"""`raglive open`: what it prints, and what it hands to the browser."""

from __future__ import annotations

import stat
import webbrowser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from raglive.cli import app, running
from raglive.local_stack.data_folder import DataFolder, RunningStack
from raglive.local_stack.sign_in import SignInSecret

URL = "http://127.0.0.1:3000"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were opened in a browser."""
    addresses: list[str] = []
    monkeypatch.setattr(webbrowser, "open", addresses.append)
    return addresses


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataFolder:
    """The data folder that the command uses."""
    monkeypatch.setenv("RAGLIVE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(running, "configure_logs", lambda _: None)  # the output is closed later
    return DataFolder(tmp_path)


def run(folder: DataFolder, url: str, *options: str) -> str:
    folder.prepare()
    SignInSecret(folder).replace()
    folder.note_running(RunningStack.here(dsn="", folder="/documents", dashboard_url=url))
    result = CliRunner().invoke(app, ["open", *options])
    assert result.exit_code == 0, result.output
    return result.output


def test_without_a_terminal_it_only_prints(folder: DataFolder, opened: list[str]) -> None:
    printed = run(folder, URL)
    assert printed == f"{SignInSecret(folder).address(URL)}\n"
    assert "#sign-in=" in printed
    assert opened == []


def test_the_secret_is_not_an_argument_of_the_browser(
    folder: DataFolder, opened: list[str]
) -> None:
    printed = run(folder, URL, "--browser").strip()
    [address] = opened
    page = Path(urlsplit(address).path)
    assert printed in page.read_text("utf-8")
    assert printed.partition("=")[2] not in address
    assert stat.S_IMODE(page.stat().st_mode) == 0o600


def test_an_address_that_is_not_loopback_has_no_secret(folder: DataFolder) -> None:
    printed = run(folder, "http://192.0.2.7:3000")
    assert "#sign-in=" not in printed
    assert "raglive token" in printed


def test_nothing_runs(folder: DataFolder) -> None:
    result = CliRunner().invoke(app, ["open"])
    assert result.exit_code == 1
    assert "raglive is not running here" in result.output
