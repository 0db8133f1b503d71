"""Everything on one machine: the embedded database, the two servers and the pipelines."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from raglive.local_stack.child_process import ChildProcess
from raglive.local_stack.data_folder import DataFolder, RunningStack
from raglive.local_stack.embedded_postgres import EmbeddedPostgres
from raglive.local_stack.log_file import LogFile, keep_small
from raglive.local_stack.ports import require_free_port
from raglive.local_stack.sign_in import SignInSecret
from raglive.store.migrate import migrate
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["LocalStack", "StackConfig", "local_stack", "require_folder"]

GOOGLE_DRIVE = "google drive"


@dataclass(frozen=True, slots=True)
class StackConfig:
    """What to start. Without `database_url`, the database is embedded.

    This machine reaches the servers under `reachable_host`, which is the host of a URL.
    """

    watched: Path
    host: str
    reachable_host: str
    status_port: int
    dashboard_port: int
    local_files_port: int
    google_drive_port: int
    database_url: str | None = None
    with_google_drive: bool = False

    @property
    def dashboard_url(self) -> str:
        """The address of the page."""
        return f"http://{self.reachable_host}:{self.dashboard_port}"


class LocalStack:
    """The running processes, and the address of their database."""

    def __init__(
        self,
        dsn: str,
        children: list[ChildProcess],
        running: Sequence[asyncio.Task[None]],
        keep_database: asyncio.Task[None] | None,
    ) -> None:
        self.dsn = dsn
        self.children = children
        self._running = dict(zip(children, running, strict=True))
        self._keep_database = keep_database

    async def run(self, stop: asyncio.Event) -> None:
        """Wait for `stop`.

        Raises what ended the embedded database, and `ChildFailed` when a server or the pipeline of
        the watched folder cannot start. A Google Drive pipeline that cannot start stops nothing.
        """
        stopping = asyncio.create_task(stop.wait())
        required = [task for child, task in self._running.items() if child.required]
        watched: set[asyncio.Task[object]] = {stopping, *required}
        if self._keep_database is not None:
            watched.add(self._keep_database)
        try:
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            if self._keep_database is not None and self._keep_database.done():
                self._keep_database.result()
            for child, task in self._running.items():
                if task in required and task.done() and not stopping.done():
                    raise child.failure()
        finally:
            stopping.cancel()


@asynccontextmanager
async def local_stack(
    config: StackConfig, data_folder: DataFolder, on_change: Callable[[], None]
) -> AsyncIterator[LocalStack]:
    """Start the database and the processes, and stop them after the block.

    The processes import their code while the database starts. They wait until `data_folder` says
    that it is ready. Raises a `RagliveError` that says what to do when the data folder is in use,
    or a port or the database is unusable.
    """
    _require_alone(data_folder)
    _require_ports(config)
    data_folder.prepare()
    children = _children(config, data_folder, on_change)
    tasks = [asyncio.create_task(child.run(), name=child.name) for child in children]
    logs = [LogFile(data_folder.up_log), *(child.log_file for child in children)]
    rotation = asyncio.create_task(keep_small(logs))
    try:
        async with _database(config, data_folder) as (dsn, embedded):
            await migrate(dsn, embedded.files_identity if embedded else None)
            supervision = asyncio.create_task(embedded.supervise()) if embedded else None
            SignInSecret(data_folder).replace()
            data_folder.note_running(_running(config, dsn))
            try:
                yield LocalStack(dsn, children, tasks, supervision)
            finally:
                await _end(tasks)  # first: pipelines publish that they go offline
                data_folder.note_stopped()
                await _end([supervision] if supervision else [])
    finally:
        await _end([*tasks, rotation])


def require_folder(folder: Path) -> None:
    """Raise `watch_location_unavailable` unless `folder` is an existing folder."""
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise RagliveError(
            f"{folder} {what}. Name an existing folder: raglive up FOLDER.",
            code=ErrorCode.WATCH_LOCATION_UNAVAILABLE,
        )


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _running(config: StackConfig, dsn: str) -> RunningStack:
    return RunningStack.here(
        dsn=dsn,
        folder=str(config.watched),
        dashboard_url=config.dashboard_url,
    )


@asynccontextmanager
async def _database(
    config: StackConfig, data_folder: DataFolder
) -> AsyncIterator[tuple[str, EmbeddedPostgres | None]]:
    if config.database_url is not None:
        yield config.database_url, None
        return
    password = data_folder.secret("database")
    async with EmbeddedPostgres(data_folder.path, password=password) as embedded:
        yield embedded.dsn, embedded


def _children(
    config: StackConfig, data_folder: DataFolder, on_change: Callable[[], None]
) -> list[ChildProcess]:
    folder = str(config.watched)
    plan = [
        ("status server", ["server"], config.status_port),
        ("dashboard", ["dashboard"], config.dashboard_port),
        ("local files", ["pipeline", "local-files", folder], config.local_files_port),
    ]
    if config.with_google_drive:
        drive = ["pipeline", "google-drive"]
        plan.append((GOOGLE_DRIVE, drive, config.google_drive_port))
    return [
        ChildProcess(
            name,
            [*command, "--parent", str(os.getpid())],
            _environment(data_folder, is_second_pipeline=name == GOOGLE_DRIVE),
            log_file=LogFile(data_folder.logs / f"{name.replace(' ', '-')}.log"),
            ready_url=f"http://{config.reachable_host}:{port}/health/ready",
            on_change=on_change,
            required=name != GOOGLE_DRIVE,
        )
        for name, command, port in plan
    ]


def _environment(data_folder: DataFolder, *, is_second_pipeline: bool) -> dict[str, str]:
    environment = {
        **os.environ,
        "RAGLIVE_DATA_DIR": str(data_folder.path),
        "RAGLIVE_LOG_FORMAT": "json",
    }
    if is_second_pipeline:  # these name the first pipeline
        for name in ("RAG_PIPELINE_ID", "RAG_PIPELINE_TYPE"):
            environment.pop(name, None)
    return environment


def _require_alone(data_folder: DataFolder) -> None:
    running = data_folder.running()
    if running is not None:
        raise RagliveError(
            f"raglive already runs on {data_folder.path}, as process {running.pid}, and watches "
            f"{running.folder}: `raglive open` opens it. Stop it first (Ctrl-C), or set "
            "RAGLIVE_DATA_DIR to another data folder.",
            code=ErrorCode.CONFLICT,
        )


def _require_ports(config: StackConfig) -> None:
    needed = [
        (config.status_port, "SOCKET_IO_PORT", "the status server"),
        (config.dashboard_port, "RAGLIVE_DASHBOARD_PORT", "the dashboard"),
        (config.local_files_port, "RAGLIVE_LOCAL_FILES_PORT", "the local-files pipeline"),
    ]
    if config.with_google_drive:
        port, setting = config.google_drive_port, "RAGLIVE_GOOGLE_DRIVE_PORT"
        needed.append((port, setting, "the Google Drive pipeline"))
    for port, setting, purpose in needed:
        require_free_port(config.host, port, setting=setting, purpose=purpose)
