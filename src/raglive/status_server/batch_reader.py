"""Reads batches without holding the event loop: large ones are validated by a child process."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress

import structlog

from raglive.bus.pipe_protocol import Frame, pack, receive_frame
from raglive.status_server.batch_child import unpack_answer
from raglive.status_server.batches import PipelineEvents, read_batch
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["BatchReader"]

log = structlog.get_logger()

SMALL_BYTES = 64 * 1024  # validated here, within about 10 ms
READ_SECONDS = 30.0  # also the longest wait for the batches of others
IDLE_SECONDS = 60.0
RETRY_MS = 1000
_MODULE = "raglive.status_server.batch_child"
_INHERITED = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT")
_PIPE_BYTES = 1 << 20


class BatchReader:
    """Validates one large batch at a time, in a child process that ends when it is not used."""

    def __init__(self, small_bytes: int = SMALL_BYTES) -> None:
        self._small_bytes = small_bytes
        self._lock = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None
        self._idle: asyncio.TimerHandle | None = None

    async def read(self, body: bytes) -> list[PipelineEvents]:
        """Parse and validate a batch.

        Raises what `read_batch` does, and `unavailable` if the child process fails or takes long.
        """
        if len(body) <= self._small_bytes:
            return read_batch(body)
        try:
            async with asyncio.timeout(READ_SECONDS), self._lock:
                answer = await self._ask(body)
        except (OSError, EOFError) as error:  # a time-out is an OSError
            log.warning("batch_not_read", error=type(error).__name__, size_bytes=len(body))
            raise RagliveError(
                "The batch could not be validated in time. Send it again, or send less at once.",
                code=ErrorCode.UNAVAILABLE,
                retryable=True,
                retry_after_ms=RETRY_MS,
            ) from error
        return unpack_answer(answer)

    async def close(self) -> None:
        """End the child process; it starts again when it is needed."""
        if self._idle is not None:
            self._idle.cancel()
        child, self._child = self._child, None
        if child is not None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    async def _ask(self, body: bytes) -> Frame:
        if self._idle is not None:
            self._idle.cancel()
        try:
            child = await self._running()
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(pack({}, body))
            _, answer = await asyncio.gather(child.stdin.drain(), receive_frame(child.stdout))
        except BaseException:  # also a caller that was cancelled: the next would get its answer
            await self.close()
            raise
        self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, child.stdin.close)
        return answer

    async def _running(self) -> asyncio.subprocess.Process:
        if self._child is None or self._child.returncode is not None or _is_ending(self._child):
            await self.close()
            self._child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", _MODULE),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_PIPE_BYTES,
                env={name: os.environ[name] for name in _INHERITED if name in os.environ}
                | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        return self._child


def _is_ending(child: asyncio.subprocess.Process) -> bool:
    return child.stdin is None or child.stdin.is_closing()
