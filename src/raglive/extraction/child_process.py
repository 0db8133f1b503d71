"""The parent's handle of one child process: start, requests, time and memory limits, end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psutil

from raglive.extraction.errors import ExtractionFailed, ExtractorUnavailable
from raglive.extraction.pipe_protocol import Frame, pack, receive_frame
from raglive_contract.errors import ErrorCode

__all__ = ["ExtractorProcess", "OnStage", "private_folder"]

OnStage = Callable[[str, float], None]

_MODULE = "raglive.extraction.child_main"
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TEMP", "SYSTEMROOT", "LD_LIBRARY_PATH")
_START_TIMEOUT_SECONDS = 30.0
_MEMORY_CHECK_SECONDS = 0.1
_STDERR_TIMEOUT_SECONDS = 2.0
_STDERR_BYTES = 4096
_PIPE_BYTES = 1 << 20
_OUT_OF_MEMORY_SIGNS = (b"memory allocation of", b"MemoryError", b"bad_alloc", b"out of memory")


class ExtractorProcess:
    """A child process that reads one file at a time. Create it with `start`, kill it with `end`."""

    def __init__(self, process: asyncio.subprocess.Process, memory_limit_bytes: int) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.files_read = 0
        self.memory_left_over_bytes = 0  # as of its last response
        self._process = process
        self._requests, self._replies = process.stdin, process.stdout
        self._memory_limit_bytes = memory_limit_bytes
        self._stderr = b""
        self._stats = psutil.Process(process.pid)
        self._listening = asyncio.create_task(self._listen(process.stderr))

    @classmethod
    async def start(cls, memory_limit_bytes: int, ocr_data: Path | None = None) -> Self:
        """Start a child process and wait until it is ready. Raises `ExtractorUnavailable`.

        `ocr_data` is the folder with Tesseract's language files.
        """
        try:
            environment = _environment()
            if ocr_data is not None:
                environment["TESSDATA_PREFIX"] = str(ocr_data)
        except OSError as error:
            raise ExtractorUnavailable(f"The extractor does not start: {error}") from error
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-X", "utf8", "-m", _MODULE, str(memory_limit_bytes)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            limit=_PIPE_BYTES,
            start_new_session=True,
        )
        child = cls(process, memory_limit_bytes)
        try:
            async with asyncio.timeout(_START_TIMEOUT_SECONDS):
                await receive_frame(child._replies)
        except BaseException as error:
            await child.end()
            if isinstance(error, EOFError | TimeoutError):
                reason = (
                    child.last_error_line
                    or f"it was not ready within {_START_TIMEOUT_SECONDS:.0f} s"
                )
                raise ExtractorUnavailable(f"The extractor does not start: {reason}") from error
            raise
        return child

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process has not been reaped yet."""
        return self._process.returncode is None

    @property
    def last_error_line(self) -> str:
        """The last line of the child's standard error, for the log."""
        lines = self._stderr.decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""

    async def ask(
        self, request: dict[str, Any], path: bytes, timeout_seconds: float, on_stage: OnStage | None
    ) -> Frame | None:
        """Send a request and return the response; None if the child died before it began to read.

        Raises `ExtractionFailed`. After any exception the child is killed.
        """
        reading = asyncio.create_task(self._reply(request, path, on_stage))
        try:
            await self._watch(reading, timeout_seconds)
            frame = reading.result()
        except BaseException:
            reading.cancel()
            await self.end()
            raise
        self.files_read += 1
        if frame:
            self.memory_left_over_bytes = frame[0]["memory_bytes"]
            if not frame[0]["is_fit"]:
                await self.end()
        return frame

    async def end(self) -> None:
        """Kill the child and wait for its exit. Idempotent."""
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                _kill(self.pid)
        await self._process.wait()
        self._requests.close()
        _, unheard = await asyncio.wait({self._listening}, timeout=_STDERR_TIMEOUT_SECONDS)
        for listening in unheard:
            listening.cancel()

    async def _watch(self, reading: asyncio.Task[Any], timeout_seconds: float) -> None:
        """Wait for the response while the child stays within its time and memory limits."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while not (await asyncio.wait({reading}, timeout=_MEMORY_CHECK_SECONDS))[0]:
            if asyncio.get_running_loop().time() >= deadline:
                message = f"Reading took longer than {timeout_seconds:g} s and was stopped."
                raise ExtractionFailed(message, code=ErrorCode.EXTRACTION_TIMEOUT, retryable=True)
            if self._memory_bytes() > self._memory_limit_bytes:
                raise self._out_of_memory()

    def _memory_bytes(self) -> int:
        try:
            return int(self._stats.memory_info().rss)
        except psutil.Error:  # it has exited
            return 0

    async def _reply(
        self, request: dict[str, Any], path: bytes, on_stage: OnStage | None
    ) -> Frame | None:
        begun = False
        try:
            self._requests.write(pack(request, path))
            await self._requests.drain()
            while True:
                header, body = await receive_frame(self._replies)
                if header["type"] != "stage":
                    return header, body
                begun = True
                if on_stage:
                    on_stage(header["stage"], header["progress"])
        except (EOFError, ConnectionError) as error:
            await self.end()
            if not begun:
                return None
            raise self._crash() from error

    def _crash(self) -> ExtractionFailed:
        if any(sign in self._stderr for sign in _OUT_OF_MEMORY_SIGNS):
            return self._out_of_memory()
        code = self._process.returncode or 0
        how = _signal_name(-code) if code < 0 else f"status {code}"
        message = f"Reading the file crashed the extractor ({how})."
        return ExtractionFailed(message, code=ErrorCode.EXTRACTION_CRASHED, retryable=True)

    def _out_of_memory(self) -> ExtractionFailed:
        limit = self._memory_limit_bytes // 2**20
        message = f"Reading the file needs more memory than the limit of {limit:,} MiB."
        return ExtractionFailed(message, code=ErrorCode.EXTRACTION_OUT_OF_MEMORY)

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        while data := await stderr.read(_STDERR_BYTES):
            self._stderr = (self._stderr + data)[-_STDERR_BYTES:]


def _environment() -> dict[str, str]:
    """Return an environment without secrets, and with one thread for each native library."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return inherited | {
        "TMPDIR": str(private_folder()),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "RAYON_NUM_THREADS": "1",
        "TOKIO_WORKER_THREADS": "1",
    }


def _kill(pid: int) -> None:
    if sys.platform == "win32":
        os.kill(pid, signal.SIGTERM)
    else:
        os.killpg(pid, signal.SIGKILL)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def private_folder() -> Path:
    """Return a temporary folder of this account, the same one each time unless it is unsafe.

    Raises `OSError`.
    """
    if sys.platform == "win32":
        return Path(tempfile.gettempdir())  # already private to the account
    path = Path(tempfile.gettempdir()) / f"raglive-extraction-{os.geteuid()}"
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    return path if _is_private(path) else Path(tempfile.mkdtemp(prefix="raglive-extraction-"))


def _is_private(path: Path) -> bool:
    found = path.lstat()
    return (
        stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
    )
