"""The package's README does what it says, and names every fault and option."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import io
import re
from pathlib import Path

import typer.main

from fake_google_drive import FakeDrive, FakeDriveServer, FaultKind
from fake_google_drive.cli import app
from fake_google_drive.oauth import SERVICE_ACCOUNT
from tests.integration.fake_google_drive.conftest import ANN
from tests.unit.docs.markdown import ROOT, blocks

README = ROOT / "packages" / "fake-google-drive" / "README.md"


async def test_googles_own_client_reads_as_the_readme_shows(
    server: FakeDriveServer, drive: FakeDrive, tmp_path: Path
) -> None:
    drive.share(drive.create("report.pdf", drive.my_drive(ANN), b"..."), SERVICE_ACCOUNT)
    credentials = tmp_path / "credentials.json"
    credentials.write_text(server.credentials_json(), "utf-8")
    reading, writing, _ = blocks(README, "python")
    code = f"{reading}\n{writing}".replace("http://127.0.0.1:8106", server.url)
    printed = io.StringIO()

    def run() -> None:
        names = {"credentials_file": str(credentials)}
        exec(code.replace("drive.readonly", "drive"), names)
        exec("drive.files().create(body={'name': 'a folder'}, media_body=None).execute()", names)

    with contextlib.redirect_stdout(printed):
        await asyncio.to_thread(run)
    assert "report.pdf" in printed.getvalue()
    assert any(item.name == "a folder" for item in drive.tree.items.values())


async def test_the_double_in_tests_works_as_the_readme_shows() -> None:
    code = blocks(README, "python")[2]
    block = compile(code, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names: dict[str, object] = {}
    await eval(block, names)
    drive = names["drive"]
    assert isinstance(drive, FakeDrive)
    for method in re.findall(
        r"`(\w+)`", README.read_text("utf-8").split("everything people do")[1]
    ):
        if not method[0].isupper() and method != "q":
            assert hasattr(drive, method)
            if method == "flag_as_abusive":
                break


def test_every_fault_and_option_is_described() -> None:
    text = README.read_text("utf-8")
    table = text.split("## Faults")[1].split("## What")[0]
    assert {kind for kind in FaultKind if f"`{kind}`" not in table} == set()
    command = typer.main.get_command(app)
    options = {it.opts[0] for it in command.params if it.opts[0].startswith("--")}
    assert {option for option in options if f"`{option}" not in text} == set()
