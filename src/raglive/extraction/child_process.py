"""The parent's handle of one child process: start, requests, time and memory limits, end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import psutil

from raglive.bus.pipe_protocol import Frame, pack, receive_frame
from raglive.extraction.child_environment import child_environment
from raglive.extraction.document_channel import PASSES_DESCRIPTORS, send
from raglive.extraction.errors import ExtractionFailed, ExtractorUnavailable
from raglive.extraction.sandbox import Limits
from raglive_contract.errors import ErrorCode

__all__ = ["ExtractorProcess", "OnStage"]

OnStage = Callable[[str, float], None]

_MODULE = "raglive.extraction.child_main"
_START_TIMEOUT_SECONDS = 30.0
_MEMORY_CHECK_SECONDS = 0.1
_MEASURE_AFTER_SECONDS = 0.25  # of reading; measuring after each small file would be expensive
_STDERR_TIMEOUT_SECONDS = 2.0
_STDERR_BYTES = 4096
_PIPE_BYTES = 1 << 20
_OUT_OF_MEMORY_SIGNS = (b"memory allocation of", b"MemoryError", b"bad_alloc", b"out of memory")


class ExtractorProcess:
    """A child process that reads one file at a time. Create it with `start`, kill it with `end`."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        limits: Limits,
        channel: socket.socket | None,
    ) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.files_read = 0
        self._unmeasured_seconds = 0.0
        self.protections: tuple[str, ...] = ()
        self._process = process
        self._requests, self._replies = process.stdin, process.stdout
        self._limits = limits
        self._channel = channel
        self._stderr = b""
        self._stats = psutil.Process(process.pid)
        self._listening = asyncio.create_task(self._listen(process.stderr))

    @classmethod
    async def start(cls, limits: Limits, ocr_data: Path | None = None) -> Self:
        """Start a child process and wait until it is ready. Raises `ExtractorUnavailable`.

        `ocr_data` is the folder with Tesseract's language files.
        """
        ours, theirs = socket.socketpair() if PASSES_DESCRIPTORS else (None, None)
        try:
            process = await _spawn(limits, ocr_data, theirs)
        except BaseException:
            if ours:
                ours.close()
            raise
        finally:
            if theirs:
                theirs.close()
        child = cls(process, limits, ours)
        try:
            async with asyncio.timeout(_START_TIMEOUT_SECONDS):
                header, _ = await receive_frame(child._replies)
        except BaseException as error:
            await child.end()
            if isinstance(error, EOFError | TimeoutError):
                reason = (
                    child.last_error_line
                    or f"it was not ready within {_START_TIMEOUT_SECONDS:.0f} s"
                )
                raise ExtractorUnavailable(f"The extractor does not start: {reason}") from error
            raise
        child.protections = tuple(header["protections"])
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

    def is_spent(self) -> bool:
        """Whether half of its memory or processor time is used, too much to read another file.

        It is measured again after a quarter of a second of reading.
        """
        if self._unmeasured_seconds < _MEASURE_AFTER_SECONDS:
            return False
        self._unmeasured_seconds = 0.0
        try:
            times = self._stats.cpu_times()
        except psutil.Error:  # it has exited
            return True
        return (
            self._memory_bytes() > self._limits.memory_bytes // 2
            or times.user + times.system > self._limits.cpu_seconds / 2
        )

    async def ask(
        self,
        request: dict[str, Any],
        document: int | bytes,
        timeout_seconds: float,
        on_stage: OnStage | None,
    ) -> Frame | None:
        """Send a request and return the response; None if the child died before it began to read.

        `document` is an open descriptor, or a path where a process cannot pass descriptors. Raises
        `ExtractionFailed`. After any exception the child is killed.
        """
        started = time.monotonic()
        reading = asyncio.create_task(self._reply(request, document, on_stage))
        try:
            await self._watch(reading, timeout_seconds)
            frame = reading.result()
        except BaseException:
            reading.cancel()
            await self.end()
            raise
        self.files_read += 1
        self._unmeasured_seconds += time.monotonic() - started
        if frame and not frame[0]["is_fit"]:
            await self.end()
        return frame

    async def end(self) -> None:
        """Kill the child and wait for its exit. Idempotent."""
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                _kill(self.pid)
        await self._process.wait()
        self._requests.close()
        if self._channel is not None:
            self._channel.close()
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
            if self._memory_bytes() > self._limits.memory_bytes:
                raise self._out_of_memory()

    def _memory_bytes(self) -> int:
        try:
            return int(self._stats.memory_info().rss)
        except psutil.Error:  # it has exited
            return 0

    async def _reply(
        self, request: dict[str, Any], document: int | bytes, on_stage: OnStage | None
    ) -> Frame | None:
        begun = False
        try:
            path = b""
            if isinstance(document, bytes):
                path = document
            elif self._channel is not None:
                send(self._channel, document)
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
        limit = self._limits.memory_bytes // 2**20
        message = f"Reading the file needs more memory than the limit of {limit:,} MiB."
        return ExtractionFailed(message, code=ErrorCode.EXTRACTION_OUT_OF_MEMORY)

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        while data := await stderr.read(_STDERR_BYTES):
            self._stderr = (self._stderr + data)[-_STDERR_BYTES:]


async def _spawn(
    limits: Limits, ocr_data: Path | None, channel: socket.socket | None
) -> asyncio.subprocess.Process:
    try:
        environment = child_environment(ocr_data)
    except OSError as error:
        raise ExtractorUnavailable(f"The extractor does not start: {error}") from error
    descriptors = [channel.fileno()] if channel else []
    arguments = map(str, (limits.memory_bytes, limits.cpu_seconds, *descriptors))
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-X", "utf8", "-m", _MODULE, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        limit=_PIPE_BYTES,
        start_new_session=True,
        pass_fds=descriptors,
    )


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
