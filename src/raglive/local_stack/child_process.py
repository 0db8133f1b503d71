"""One child process, restarted with back-off when it ends."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from urllib.parse import urlsplit

import orjson
import structlog

from raglive.local_stack.log_file import LogFile
from raglive_contract.errors import ErrorCode, RagliveError, code_of

__all__ = ["ChildFailed", "ChildProcess", "ProcessState", "answers"]

log = structlog.get_logger()

STABLE_SECONDS = 30.0
PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
STOP_SECONDS = 10.0
PROBE_SECONDS = 0.05
PROBE_TIMEOUT_SECONDS = 2.0
CONFIGURATION_EXITS = frozenset({2, 3})


class ProcessState(StrEnum):
    """The states of a child process."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPED = "stopped"


class ChildFailed(RagliveError):
    """A child cannot start until somebody changes its configuration."""

    def __init__(self, message: str, *, code: ErrorCode, exit_status: int) -> None:
        super().__init__(message, code=code)
        self.exit_status = exit_status


class ChildProcess:
    """A raglive command that is restarted with back-off when it ends.

    It is ready when `ready_url` answers. Its output goes to `log_file`. If a child that is not
    `required` cannot start, the others continue.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        log_file: LogFile,
        ready_url: str,
        on_change: Callable[[], None],
        required: bool = True,
    ) -> None:
        self.name = name
        self.required = required
        self.state = ProcessState.STARTING
        self.restarts = 0
        self._was_ready = False
        self.log_file = log_file
        self._command = [sys.executable, "-m", "raglive", *command]
        self._environment = {**environment, "PYTHONUNBUFFERED": "1"}
        self._ready_url = ready_url
        self._on_change = on_change
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id; None before the first start."""
        return self._process.pid if self._process else None

    @property
    def exit_reason(self) -> str:
        """Why it ended: the message of its error object, else its exit status or signal."""
        code = self._process.returncode if self._process else None
        if code is not None and code < 0:
            return f"ended by signal {-code}"
        return self._error().get("message") or f"ended with status {code}"

    def failure(self) -> ChildFailed:
        """Return the error of a child in the state `failed`, with the code that it printed."""
        code = self._process.returncode if self._process else None
        return ChildFailed(
            f"{self.name}: {self.exit_reason} (log: {self.log_file.path})",
            code=code_of(self._error().get("code", ErrorCode.SETTINGS_INVALID)),
            exit_status=code or 1,
        )

    def _error(self) -> dict[str, str]:
        """Return the last error object of its log, after which libraries may have written more."""
        lines = reversed(self.log_file.since_start().splitlines())
        return next(filter(None, map(_error, lines)), {})

    async def run(self) -> None:
        """Keep the child running until cancelled, then stop it.

        Returns early, in the state `failed`, when the child refuses its configuration or its
        credentials before it was ever ready: a restart would not help.
        """
        failures = 0
        try:
            while True:
                started = asyncio.get_running_loop().time()
                exit_code = await self._run_once()
                if exit_code in CONFIGURATION_EXITS and not self._was_ready:
                    self._change(ProcessState.FAILED)
                    return
                uptime = asyncio.get_running_loop().time() - started
                failures = 0 if uptime > STABLE_SECONDS else failures
                pause = PAUSES_SECONDS[min(failures, len(PAUSES_SECONDS) - 1)]
                failures += 1
                self.restarts += 1
                log.warning("process_ended", name=self.name, exit=exit_code, restart_in=pause)
                self._change(ProcessState.RESTARTING)
                await asyncio.sleep(pause)
        finally:
            await self._stop()

    async def _run_once(self) -> int:
        with self.log_file.open() as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                start_new_session=True,  # Ctrl-C is for the parent, which stops all in order
            )
        ended = asyncio.create_task(self._process.wait())
        ready = asyncio.create_task(self._wait_ready())
        try:
            await asyncio.wait({ended, ready}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                self._was_ready = True
                self._change(ProcessState.READY)
            return await ended
        finally:
            ready.cancel()
            ended.cancel()

    async def _wait_ready(self) -> None:
        while not await answers(self._ready_url, PROBE_TIMEOUT_SECONDS):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(PROBE_SECONDS)

    async def _stop(self) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                log.warning("process_killed", name=self.name)
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self.state is not ProcessState.FAILED:
            self._change(ProcessState.STOPPED)

    def _change(self, state: ProcessState) -> None:
        self.state = state
        self._on_change()


def _error(line: str) -> dict[str, str]:
    """Parse the error object that a command prints; empty when the line is something else."""
    try:
        body = orjson.loads(line)["error"]
        return {"code": str(body["code"]), "message": str(body["message"])}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return {}


_FAILURES = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


async def answers(url: str, within_seconds: float) -> bool:
    """Whether a GET of an `http` address succeeds with a status of 200 to 299."""
    with suppress(*_FAILURES):
        async with asyncio.timeout(within_seconds):
            return 200 <= await _status(url) < 300
    return False


async def _status(url: str) -> int:
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        request = f"GET {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        line = await reader.readuntil(b"\r\n")
    finally:
        writer.close()
    _, _, rest = line.partition(b" ")
    return int(rest[:3]) if rest[:3].isdigit() else 0
