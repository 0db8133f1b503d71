"""`raglive dev`: what helps to try raglive out."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Annotated

import platformdirs
import typer

from raglive.cli.running import serve
from raglive.contract.errors import RagliveError
from raglive.fake_drive.drive import FakeDrive
from raglive.fake_drive.folder import FolderMirror
from raglive.fake_drive.google import FakeGoogle
from raglive.fake_drive.oauth import SERVICE_ACCOUNT
from raglive.fake_drive.server import FakeDriveServer
from raglive.processes.ports import require_free_port
from raglive.settings import Settings

__all__ = ["dev"]

HOST = "127.0.0.1"
PORT = 8106
USER = "you@example.com"

dev = typer.Typer(no_args_is_help=True, help="Try raglive out without accounts elsewhere.")


@dev.callback()
def _group() -> None:
    """Keep `dev` a group while it has a single command."""


@dev.command("fake-drive")
def fake_drive(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder to serve.", exists=True, file_okay=False, resolve_path=True, readable=True
        ),
    ],
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to answer on; 0 takes any.")
    ] = PORT,
) -> None:
    """Serve a folder as if it were in Google Drive, and keep up with its changes."""

    async def run(settings: Settings, stop: Awaitable[None]) -> None:
        if port:
            require_free_port(HOST, port, setting="--port", purpose="the double of Google Drive")
        await _serve(settings, folder, port, stop)

    serve(run, None)


async def _serve(settings: Settings, folder: Path, port: int, stop: Awaitable[None]) -> None:
    # Tokens of an earlier run are refused: this one does not know what has happened since.
    drive = FakeDrive(seed=str(folder), first_token=time.time_ns() // 1_000_000)
    root = drive.create_folder(folder.name, drive.my_drive(USER))
    drive.share(root, SERVICE_ACCOUNT)
    credentials = _data_folder(settings) / f"fake-drive-{port}.json"
    google = FakeGoogle(drive, private_key=_known_key(credentials))
    mirror = FolderMirror(drive, root, folder)
    typer.echo(f"reading {folder}", err=True)
    await mirror.scan()
    async with FakeDriveServer(drive, port=port, google=google) as server:
        _write_secret(credentials, server.credentials_json())
        _say(server.url, credentials, root.id)
        await _until(stop, mirror)


async def _until(stop: Awaitable[None], mirror: FolderMirror) -> None:
    mirroring = asyncio.create_task(mirror.run(), name="folder-mirror")
    stopping = asyncio.ensure_future(stop)
    await asyncio.wait({mirroring, stopping}, return_when=asyncio.FIRST_COMPLETED)
    mirroring.cancel()
    await asyncio.gather(mirroring, return_exceptions=True)
    if not mirroring.cancelled() and (error := mirroring.exception()):
        raise error


def _say(url: str, credentials: Path, folder_id: str) -> None:
    typer.echo(f"export RAGLIVE_GOOGLE_API_URL={url}")
    typer.echo(f"export GOOGLE_DRIVE_CREDENTIALS_JSON={shlex.quote(str(credentials))}")
    typer.echo(f"export RAG_WATCH_FOLDER_ID={folder_id}")
    typer.echo("# Set these, then: raglive pipeline google-drive")
    typer.echo(f"# Let something go wrong: curl {url}/__control --json ", nl=False)
    typer.echo("""'{"action": "fail", "method": "files.list", "kind": "unavailable"}'""")


def _data_folder(settings: Settings) -> Path:
    return settings.data_dir or Path(platformdirs.user_data_dir("raglive", appauthor=False))


def _known_key(credentials: Path) -> str | None:
    """Return the key of an earlier run, so that a pipeline with it goes on."""
    try:
        return str(json.loads(credentials.read_text("utf-8"))["private_key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_secret(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise RagliveError(
            f"{path} cannot be written: {error.strerror}. Set RAGLIVE_DATA_DIR to a folder that "
            "can.",
            code="settings_invalid",
        ) from None
