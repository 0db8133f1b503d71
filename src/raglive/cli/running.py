"""How a command runs: settings, log, signals, the wiring, and errors said without a traceback."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn

import structlog
import typer
import uvloop

from raglive.app.wiring import Wiring
from raglive.cli.logs import configure_logs
from raglive.local_stack.data_folder import Home, HomeError, home_of, running_homes
from raglive.settings import Settings, SettingsError, read_settings
from raglive_contract.errors import RagliveError

__all__ = [
    "EXIT_CONFIGURATION",
    "Json",
    "Parent",
    "Pipeline",
    "end_with_parent",
    "find_wiring",
    "load_settings",
    "refuse",
    "run",
    "serve",
    "serving_status",
    "wait_for_database",
]

log = structlog.get_logger()

EXIT_RETRYABLE = 1
EXIT_CONFIGURATION = 2
EXIT_CREDENTIALS = 3
_CONFIGURATION = frozenset(
    {
        "settings_invalid",
        "database_misconfigured",
        "schema_mismatch",
        "embedding_model_changed",
        "embedding_not_configured",
        "watch_location_unavailable",
        "port_in_use",
    }
)
_CREDENTIALS = frozenset({"embedding_rejected", "auth_required"})


def load_settings() -> Settings:
    """Read the settings and set up the log; refuse with the name of a setting that is wrong."""
    try:
        settings = read_settings()
    except SettingsError as error:
        refuse(error, status=EXIT_CONFIGURATION)
    configure_logs(settings)
    return settings


def find_wiring(settings: Settings) -> Wiring:
    """Return how to reach the database: as set, or as a running `raglive up` has it.

    Raises `not_running`, and says how to choose when several run.
    """
    running = running_homes(settings.data_dir)
    if settings.database_url is not None:
        home = running[0][0] if running else home_of(settings.data_dir, Path("shared"))
        return Wiring(settings, settings.database_url.get_secret_value(), _secret(settings, home))
    if not running:
        raise HomeError(
            "raglive is not running here. Start it with `raglive up FOLDER`, "
            "or set DATABASE_URL to the database of one that runs elsewhere."
        )
    if len(running) > 1:
        choices = "; ".join(f"RAGLIVE_DATA_DIR={h.folder} for {r.folder}" for h, r in running)
        raise HomeError(f"Several run here. Choose one: {choices}.", code="several_running")
    home, found = running[0]
    return Wiring(settings, found.dsn, _secret(settings, home))


def run(
    main: Callable[[], Coroutine[Any, Any, None]],
    *,
    as_json: bool = False,
    exit_status: Callable[[RagliveError], int] = lambda _: 1,
) -> None:
    """Run a command to its end, or to its error: one line for people, an object for programs."""
    try:
        uvloop.run(main())
    except RagliveError as error:
        refuse(error, as_json=as_json, status=exit_status(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:
        sys.stderr.close()


def serve(
    main: Callable[[Settings, Awaitable[None]], Coroutine[Any, Any, None]], parent: int | None
) -> None:
    """Run a server until SIGINT or SIGTERM, or until the parent that started it is gone."""
    settings = load_settings()

    async def until_signalled() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        stopping = asyncio.ensure_future(_wait(stop))
        leash = asyncio.create_task(end_with_parent(parent)) if parent else None
        try:
            if parent:
                await _either(stopping, wait_for_database(settings.data_dir, parent))
            if not stopping.done():
                await main(settings, stopping)
        finally:
            if leash:
                leash.cancel()

    run(until_signalled, exit_status=serving_status)


def refuse(error: RagliveError, *, as_json: bool = False, status: int = 1) -> NoReturn:
    """Say an error on standard error, and leave with this exit status."""
    if as_json or not sys.stderr.isatty():
        typer.echo(json.dumps({"error": error.body()}), err=True)
    else:
        typer.secho(f"{error.message}", fg=typer.colors.RED, err=True)
    raise typer.Exit(status) from None


def serving_status(error: RagliveError) -> int:
    """Return what an error says to whoever started the process: again, set it up, credentials."""
    if error.code in _CREDENTIALS:
        return EXIT_CREDENTIALS
    return EXIT_CONFIGURATION if error.code in _CONFIGURATION else EXIT_RETRYABLE


def _secret(settings: Settings, home: Home) -> str:
    if settings.jwt_secret is not None:
        return settings.jwt_secret.get_secret_value()
    return home.secret("jwt")


async def _wait(stop: asyncio.Event) -> None:
    await stop.wait()


async def _either(stopping: asyncio.Future[None], ready: Coroutine[Any, Any, None]) -> None:
    waiting = asyncio.ensure_future(ready)
    try:
        await asyncio.wait({stopping, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Pipeline = Annotated[str | None, typer.Option(help="Only this pipeline.")]
Parent = Annotated[int | None, typer.Option(hidden=True, help="End when this process is gone.")]


CHECK_SECONDS = 0.5
NOTE_SECONDS = 0.02


async def end_with_parent(parent_pid: int) -> None:
    """Send this process SIGTERM when `parent_pid` is no longer its parent."""
    while os.getppid() == parent_pid:  # noqa: ASYNC110 - nothing tells it otherwise
        await asyncio.sleep(CHECK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


async def wait_for_database(data_dir: Path | None, parent_pid: int) -> None:
    """Return when `parent_pid` has noted that its database is ready and has this schema."""
    while not any(running.pid == parent_pid for _, running in running_homes(data_dir)):  # noqa: ASYNC110 - as above
        await asyncio.sleep(NOTE_SECONDS)
