"""One child process: started, asked, watched and ended."""

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

__all__ = ["ExtractorProcess", "OnStage", "private_folder"]

OnStage = Callable[[str, float], None]

_MODULE = "raglive.extraction.child_main"
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TEMP", "SYSTEMROOT", "LD_LIBRARY_PATH")
_START_SECONDS = 30.0
_WATCH_SECONDS = 0.1
_END_SECONDS = 2.0
_STDERR_BYTES = 4096
_PIPE_BYTES = 1 << 20
_OUT_OF_MEMORY_SIGNS = (b"memory allocation of", b"MemoryError", b"bad_alloc", b"out of memory")


class ExtractorProcess:
    """A child that reads one file at a time. `start` makes one, `end` ends it for certain."""

    def __init__(self, process: asyncio.subprocess.Process, memory_limit_bytes: int) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.files_read = 0
        self.memory_left_over_bytes = 0  # as it said with its last answer
        self._process = process
        self._requests, self._replies = process.stdin, process.stdout
        self._memory_limit_bytes = memory_limit_bytes
        self._complaints = b""
        self._figures = psutil.Process(process.pid)
        self._listening = asyncio.create_task(self._listen(process.stderr))

    @classmethod
    async def start(cls, memory_limit_bytes: int, ocr_data: Path | None = None) -> Self:
        """Start a child and wait until it is ready. Raises `ExtractorUnavailable`.

        `ocr_data`: the folder of Tesseract's languages.
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
            async with asyncio.timeout(_START_SECONDS):
                await receive_frame(child._replies)
        except BaseException as error:
            await child.end()
            if isinstance(error, EOFError | TimeoutError):
                reason = child.last_words or f"it was not ready within {_START_SECONDS:.0f} s"
                raise ExtractorUnavailable(f"The extractor does not start: {reason}") from error
            raise
        return child

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs, as far as is known."""
        return self._process.returncode is None

    @property
    def last_words(self) -> str:
        """The last line that the child wrote to its standard error."""
        lines = self._complaints.decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""

    async def ask(
        self, request: dict[str, Any], path: bytes, timeout_seconds: float, on_stage: OnStage | None
    ) -> Frame | None:
        """Have a file read. None: the child was gone before it began. Raises `ExtractionFailed`.

        After any exception the child is ended.
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
        """Kill the child and wait until it is gone. May be called again."""
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                _kill(self.pid)
        await self._process.wait()
        self._requests.close()
        _, unheard = await asyncio.wait({self._listening}, timeout=_END_SECONDS)
        for listening in unheard:
            listening.cancel()

    async def _watch(self, reading: asyncio.Task[Any], timeout_seconds: float) -> None:
        """Wait for the answer while the child keeps within time and memory."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while not (await asyncio.wait({reading}, timeout=_WATCH_SECONDS))[0]:
            if asyncio.get_running_loop().time() >= deadline:
                message = f"Reading took longer than {timeout_seconds:g} s and was stopped."
                raise ExtractionFailed(message, code="extraction_timeout", retryable=True)
            if self._memory_bytes() > self._memory_limit_bytes:
                raise self._out_of_memory()

    def _memory_bytes(self) -> int:
        try:
            return int(self._figures.memory_info().rss)
        except psutil.Error:  # it has gone
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
        if any(sign in self._complaints for sign in _OUT_OF_MEMORY_SIGNS):
            return self._out_of_memory()
        code = self._process.returncode or 0
        how = _signal_name(-code) if code < 0 else f"status {code}"
        message = f"Reading the file crashed the extractor ({how})."
        return ExtractionFailed(message, code="extraction_crashed", retryable=True)

    def _out_of_memory(self) -> ExtractionFailed:
        limit = self._memory_limit_bytes // 2**20
        message = f"Reading the file needs more memory than the limit of {limit:,} MiB."
        return ExtractionFailed(message, code="extraction_out_of_memory")

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        while data := await stderr.read(_STDERR_BYTES):
            self._complaints = (self._complaints + data)[-_STDERR_BYTES:]


def _environment() -> dict[str, str]:
    """No secrets, our own module path, and one thread for each native library."""
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
    """Return a folder of this account's, the same one every time if it can be had.

    Raises `OSError`.
    """
    if sys.platform == "win32":
        return Path(tempfile.gettempdir())  # is the account's own
    path = Path(tempfile.gettempdir()) / f"raglive-extraction-{os.geteuid()}"
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    return path if _is_private(path) else Path(tempfile.mkdtemp(prefix="raglive-extraction-"))


def _is_private(path: Path) -> bool:
    found = path.lstat()
    return (
        stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
    )
