"""How every command runs: settings, logs, signals, and errors without a traceback."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import uvloop

from raglive.cli.logs import configure_logs
from raglive.cli.terminal import print_line, visible_json
from raglive.local_stack.child_process import ChildFailed
from raglive.local_stack.data_folder import running_stacks
from raglive.settings import Settings, SettingsError, misspelt_names, read_settings
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = [
    "Json",
    "Parent",
    "Pipeline",
    "exit_status_of",
    "load_settings",
    "refuse",
    "run",
    "serve",
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Pipeline = Annotated[str | None, typer.Option(help="Only this pipeline.")]
Parent = Annotated[int | None, typer.Option(hidden=True, help="End when this process is gone.")]

EXIT_RETRYABLE = 1
EXIT_CONFIGURATION = 2
EXIT_CREDENTIALS = 3
EXIT_DELETIONS_HELD = 4
EXIT_FILES_FAILED = 5
PARENT_CHECK_SECONDS = 0.5
DATABASE_CHECK_SECONDS = 0.02
_CONFIGURATION = frozenset(
    {
        ErrorCode.DATA_FOLDER_UNUSABLE,
        ErrorCode.DATABASE_MISCONFIGURED,
        ErrorCode.EMBEDDING_MODEL_CHANGED,
        ErrorCode.EMBEDDING_NOT_CONFIGURED,
        ErrorCode.NO_FOLDER,
        ErrorCode.PORT_IN_USE,
        ErrorCode.SCHEMA_MISMATCH,
        ErrorCode.SETTINGS_INVALID,
        ErrorCode.WATCH_LOCATION_UNAVAILABLE,
    }
)
_CREDENTIALS = frozenset(
    {ErrorCode.EMBEDDING_REJECTED, ErrorCode.AUTH_REQUIRED, ErrorCode.DRIVE_DISABLED}
)
_LEFT_TO_AN_OPERATOR = {
    ErrorCode.DELETIONS_HELD: EXIT_DELETIONS_HELD,
    ErrorCode.FILES_FAILED: EXIT_FILES_FAILED,
}


def load_settings() -> Settings:
    """Read the settings and configure logging; end the process when a setting is wrong."""
    try:
        settings = read_settings()
    except SettingsError as error:
        refuse(error, status=EXIT_CONFIGURATION)
    configure_logs(settings)
    for name, meant in misspelt_names().items():
        print_line(f"warning: {name} is not a setting. Did you mean {meant}?", err=True)
    return settings


def run(
    main: Callable[[], Coroutine[Any, Any, None]],
    *,
    as_json: bool = False,
    exit_status: Callable[[RagliveError], int] = lambda _: 1,
) -> None:
    """Run a command to its end; print an error as a line for people or an object for programs."""
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
    """Run a server until SIGINT or SIGTERM.

    With `parent`, a process id, it waits for the database of that `raglive up` first, and ends when
    the parent is gone.
    """
    settings = load_settings()

    async def until_signalled() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        stopping = asyncio.ensure_future(_wait(stop))
        parent_watch = asyncio.create_task(_end_with_parent(parent)) if parent else None
        try:
            if parent:
                await _either(stopping, _wait_for_database(settings.data_dir, parent))
            if not stopping.done():
                await main(settings, stopping)
        finally:
            if parent_watch:
                parent_watch.cancel()

    run(until_signalled, exit_status=exit_status_of)


def refuse(error: RagliveError, *, as_json: bool = False, status: int = 1) -> NoReturn:
    """Print an error on standard error and end the process with this exit status."""
    if as_json or not sys.stderr.isatty():
        typer.echo(visible_json(json.dumps({"error": error.body()})), err=True)
    else:
        print_line(error.message, colour=typer.colors.RED, err=True)
    raise typer.Exit(status) from None


def exit_status_of(error: RagliveError) -> int:
    """Return 1 when a restart can help, and the other statuses of `docs/reference/command-line.md`.

    They are 2 for configuration, 3 for credentials, 4 for held deletions and 5 for failed files.
    """
    if isinstance(error, ChildFailed):
        return error.exit_status
    if error.code in _CREDENTIALS:
        return EXIT_CREDENTIALS
    if error.code in _CONFIGURATION:
        return EXIT_CONFIGURATION
    return _LEFT_TO_AN_OPERATOR.get(error.code, EXIT_RETRYABLE)


async def _wait(stop: asyncio.Event) -> None:
    await stop.wait()


async def _either(stopping: asyncio.Future[None], ready: Coroutine[Any, Any, None]) -> None:
    waiting = asyncio.ensure_future(ready)
    try:
        await asyncio.wait({stopping, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


async def _end_with_parent(parent_pid: int) -> None:
    """Send this process SIGTERM once it has another parent."""
    while os.getppid() == parent_pid:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(PARENT_CHECK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


async def _wait_for_database(data_dir: Path | None, parent_pid: int) -> None:
    """Wait until the parent has noted in its data folder that the database is migrated."""
    while not any(running.pid == parent_pid for _, running in running_stacks(data_dir)):  # noqa: ASYNC110 - as above
        await asyncio.sleep(DATABASE_CHECK_SECONDS)
