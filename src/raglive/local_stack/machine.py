"""Everything on one machine: the embedded database and the three processes, started and stopped."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from raglive.local_stack.child import Child
from raglive.local_stack.data_folder import Home, Running
from raglive.local_stack.embedded_postgres import EmbeddedPostgres
from raglive.local_stack.ports import require_free_port
from raglive.settings import Settings
from raglive.store.migrate import migrate
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["Machine", "machine", "require_folder"]


class Machine:
    """What runs: the database's address, and the child processes."""

    def __init__(
        self, dsn: str, children: list[Child], keep_database: asyncio.Task[None] | None
    ) -> None:
        self.dsn = dsn
        self.children = children
        self._keep_database = keep_database

    async def run(self, stop: asyncio.Event) -> None:
        """Wait for `stop`; raise what ended the embedded database."""
        stopping = asyncio.create_task(stop.wait())
        watched: set[asyncio.Task[object]] = {stopping}
        if self._keep_database is not None:
            watched.add(self._keep_database)
        try:
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            if self._keep_database is not None and self._keep_database.done():
                self._keep_database.result()
        finally:
            stopping.cancel()


@asynccontextmanager
async def machine(
    settings: Settings,
    home: Home,
    folder: Path,
    on_change: Callable[[], None],
    *,
    with_google_drive: bool = False,
) -> AsyncIterator[Machine]:
    """Start the database and the processes; note in `home` that they run; stop them at the end.

    The processes load while the database starts, and wait for the note.
    Raises a `RagliveError` that says what to do when the data folder is in use, or a port or the
    database is unusable.
    """
    _require_alone(home)
    _require_ports(settings, with_google_drive=with_google_drive)
    home.prepare()
    children = _children(settings, home, folder, on_change)
    if with_google_drive:
        children.append(_google_drive(settings, home, on_change))
    tasks = [asyncio.create_task(child.run(), name=child.name) for child in children]
    try:
        async with _database(settings, home) as (dsn, embedded):
            await migrate(dsn)
            supervision = asyncio.create_task(embedded.supervise()) if embedded else None
            home.note_running(_running(settings, folder, dsn))
            try:
                yield Machine(dsn, children, supervision)
            finally:
                await _end(tasks)  # while they can still take their leave of the database
                home.note_stopped()
                await _end([supervision] if supervision else [])
    finally:
        await _end(tasks)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _running(settings: Settings, folder: Path, dsn: str) -> Running:
    return Running.here(
        dsn=dsn,
        folder=str(folder),
        dashboard_url=f"http://{_shown(settings.host)}:{settings.dashboard_port}",
        status_url=settings.public_status_url,
    )


@asynccontextmanager
async def _database(
    settings: Settings, home: Home
) -> AsyncIterator[tuple[str, EmbeddedPostgres | None]]:
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value(), None
        return
    async with EmbeddedPostgres(home.folder, password=home.secret("database")) as embedded:
        yield embedded.dsn, embedded


def _children(
    settings: Settings, home: Home, folder: Path, on_change: Callable[[], None]
) -> list[Child]:
    environment = _environment(home)
    host = _shown(settings.host)
    plan = [
        ("status server", ["server"], settings.status_port, "/health/ready"),
        ("dashboard", ["dashboard"], settings.dashboard_port, "/api/socket/info"),
        (
            "local files",
            ["pipeline", "local-files", str(folder)],
            settings.local_files_port,
            "/health",
        ),
    ]
    return [
        Child(
            name,
            [*command, "--parent", str(os.getpid())],
            environment,
            log_file=home.logs / f"{name.replace(' ', '-')}.log",
            ready_url=f"http://{host}:{port}{path}",
            on_change=on_change,
        )
        for name, command, port, path in plan
    ]


def _google_drive(settings: Settings, home: Home, on_change: Callable[[], None]) -> Child:
    """Return the second pipeline: what names the first one is not for it."""
    environment = _environment(home)
    for name in ("RAG_PIPELINE_ID", "RAG_PIPELINE_TYPE"):
        environment.pop(name, None)
    return Child(
        "google drive",
        ["pipeline", "google-drive", "--parent", str(os.getpid())],
        environment,
        log_file=home.logs / "google-drive.log",
        ready_url=f"http://{_shown(settings.host)}:{settings.google_drive_port}/health",
        on_change=on_change,
    )


def _environment(home: Home) -> dict[str, str]:
    return {
        **os.environ,
        "RAGLIVE_DATA_DIR": str(home.folder),
        "RAGLIVE_LOG_FORMAT": "json",
    }


def require_folder(folder: Path) -> None:
    """Raise `watch_location_unavailable` for what is no folder."""
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise RagliveError(
            f"{folder} {what}. Name an existing folder: raglive up FOLDER.",
            code="watch_location_unavailable",
        )


def _require_alone(home: Home) -> None:
    running = home.running()
    if running is not None:
        raise RagliveError(
            f"raglive runs on {home.folder} already, as process {running.pid}, and watches "
            f"{running.folder}: open {running.dashboard_url}. Stop it first (Ctrl-C), or set "
            "RAGLIVE_DATA_DIR to another data folder.",
            code=ErrorCode.CONFLICT,
        )


def _require_ports(settings: Settings, *, with_google_drive: bool) -> None:
    needed = [
        (settings.status_port, "SOCKET_IO_PORT", "the status server"),
        (settings.dashboard_port, "RAGLIVE_DASHBOARD_PORT", "the dashboard"),
        (settings.local_files_port, "RAGLIVE_LOCAL_FILES_PORT", "the local-files pipeline"),
    ]
    if with_google_drive:
        port, setting = settings.google_drive_port, "RAGLIVE_GOOGLE_DRIVE_PORT"
        needed.append((port, setting, "the Google Drive pipeline"))
    for port, setting, purpose in needed:
        require_free_port(settings.host, port, setting=setting, purpose=purpose)


def _shown(host: str) -> str:
    return "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound
