"""`fake-google-drive FOLDER`: serve a folder as if it were in Google Drive."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import socket
import time
from pathlib import Path
from typing import Annotated

import platformdirs
import typer

from fake_google_drive.drive import FakeDrive
from fake_google_drive.folder import FolderMirror
from fake_google_drive.google import FakeGoogle
from fake_google_drive.oauth import SERVICE_ACCOUNT
from fake_google_drive.server import FakeDriveServer

__all__ = ["main"]

HOST = "127.0.0.1"
PORT = 8106
USER = "you@example.com"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def serve(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder to serve.", exists=True, file_okay=False, resolve_path=True, readable=True
        ),
    ],
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to answer on; 0 takes any.")
    ] = PORT,
    credentials: Annotated[
        Path | None,
        typer.Option(
            help="File to write the credentials to; by default in your data folder.",
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """Serve a folder as if it were in Google Drive, and follow its changes, until Ctrl-C."""
    if port and not _is_free(port):
        _refuse(f"Port {port} is in use. Choose another one with --port.")
    asyncio.run(_serve(folder, port, credentials or _default_credentials(port)))


def main() -> None:
    """Run the command `fake-google-drive`."""
    app()


async def _serve(folder: Path, port: int, credentials: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Page tokens of an earlier run must be refused: this run does not know the changes since.
    drive = FakeDrive(seed=str(folder), first_token=time.time_ns() // 1_000_000)
    root = drive.create_folder(folder.name, drive.my_drive(USER))
    drive.share(root, SERVICE_ACCOUNT)
    google = FakeGoogle(drive, private_key=_known_key(credentials))
    mirror = FolderMirror(drive, root, folder)
    typer.echo(f"reading {folder}", err=True)
    await mirror.scan()
    async with FakeDriveServer(drive, port=port, google=google) as server:
        google.oauth.consents.user = USER
        oauth_client = credentials.with_name(f"{credentials.stem}-client.json")
        _write_secret(credentials, server.credentials_json())
        _write_secret(oauth_client, server.client_json())
        _explain(server.url, credentials, oauth_client, root.id)
        await _until(stop, mirror)


async def _until(stop: asyncio.Event, mirror: FolderMirror) -> None:
    mirroring = asyncio.create_task(mirror.run(), name="folder-mirror")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait({mirroring, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in (mirroring, stopping):
        task.cancel()
    await asyncio.gather(mirroring, stopping, return_exceptions=True)
    if not mirroring.cancelled() and (error := mirroring.exception()):
        raise error


def _explain(url: str, credentials: Path, oauth_client: Path, folder_id: str) -> None:
    typer.echo(f"export RAGLIVE_GOOGLE_API_URL={url}")
    typer.echo(f"export GOOGLE_DRIVE_CREDENTIALS_JSON={shlex.quote(str(credentials))}")
    typer.echo(f"export RAG_WATCH_FOLDER_ID={folder_id}")
    typer.echo('# Set these in another terminal, then: raglive up "$(mktemp -d)"')
    typer.echo("# or, where raglive runs already: raglive pipeline google-drive")
    token = oauth_client.with_name(f"{credentials.stem}-token.json")
    typer.echo(f"# To log in as {USER} instead of the service account, set this, and log in:")
    typer.echo("#   unset GOOGLE_DRIVE_CREDENTIALS_JSON")
    typer.echo(f"#   export RAGLIVE_GOOGLE_TOKEN_FILE={shlex.quote(str(token))}")
    typer.echo(f"#   raglive login google {shlex.quote(str(oauth_client))}")
    typer.echo("# Cause a fault: curl -H 'Content-Type: application/json' ", nl=False)
    typer.echo(f"{url}/__control -d ", nl=False)
    typer.echo("""'{"action": "fail", "method": "files.list", "kind": "unavailable"}'""")


def _default_credentials(port: int) -> Path:
    folder = Path(platformdirs.user_data_dir("fake-google-drive", appauthor=False))
    return folder / f"credentials-{port}.json"


def _known_key(credentials: Path) -> str | None:
    """Return the private key of an earlier run, so that running clients keep their access."""
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
        _refuse(
            f"{path} cannot be written: {error.strerror}. Choose another file with --credentials."
        )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _refuse(message: str) -> None:
    typer.secho(message, fg=typer.colors.RED, err=True)
    raise typer.Exit(2)
