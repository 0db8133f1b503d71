"""A pool of child processes that extract text."""

from __future__ import annotations

import asyncio
import os
from math import ceil
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from raglive.bus.pipe_protocol import Frame
from raglive.extraction.child_process import ExtractorProcess, OnStage
from raglive.extraction.chunking import OVERLAP_CHARS, TARGET_CHARS, Chunk, chunks_of
from raglive.extraction.document_channel import PASSES_DESCRIPTORS, ReadableFile, open_document
from raglive.extraction.errors import ExtractionFailed, Skipped
from raglive.extraction.model import Extracted, Table
from raglive.extraction.ocr import Recognition
from raglive.extraction.sandbox import PROTECTIONS, Limits
from raglive_contract.errors import ErrorCode

__all__ = ["ExtractorPool"]

FILES_PER_PROCESS = 2_000  # a process is replaced after as many files
MIN_MEMORY_BYTES = 128 << 20
_LARGE_BYTES = 256 * 1024  # longer texts are decoded and hashed in a thread

_Start = asyncio.Future[ExtractorProcess]

log = structlog.get_logger()


class ExtractorPool:
    """Reads files in `processes` child processes. Use it with `async with`.

    A file that hangs, uses too much memory or crashes its process affects no other file; the
    process is replaced. `timeout_seconds` starts when a process begins with the file.
    """

    def __init__(
        self,
        processes: int,
        *,
        timeout_seconds: float = 300.0,
        memory_limit_bytes: int = 1 << 30,
        max_file_bytes: int = 256 << 20,
        max_text_chars: int = 50_000_000,
        recognition: Recognition | None = None,
    ) -> None:
        if processes < 1 or timeout_seconds <= 0 or memory_limit_bytes < MIN_MEMORY_BYTES:
            raise ValueError("a pool needs a process, a time limit, and 128 MiB for each process")
        self._processes = processes
        self._timeout_seconds = timeout_seconds
        # One file may use every processor for its whole time; a child is replaced at half of this.
        cpu_seconds = 2 * ceil(timeout_seconds) * (os.cpu_count() or 1)
        self._child_limits = Limits(memory_limit_bytes, cpu_seconds)
        self._limits: dict[str, Any] = {
            "max_file_bytes": max_file_bytes,
            "max_text_chars": max_text_chars,
            "ocr_languages": recognition.languages if recognition else None,
        }
        self._ocr_data = recognition.data if recognition else None
        self._free: asyncio.LifoQueue[_Start | None] = asyncio.LifoQueue()
        self._children: set[ExtractorProcess] = set()
        self._starting: set[_Start] = set()
        self._closed = False
        self._protections: tuple[str, ...] = ()

    async def __aenter__(self) -> Self:
        """Start the child processes. Raises `ExtractorUnavailable`."""
        starts = [self._start() for _ in range(self._processes)]
        try:
            await asyncio.gather(*starts)
        except BaseException:
            await self.close()
            raise
        for start in starts:
            self._free.put_nowait(start)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Kill every child process. Files in progress fail. Idempotent."""
        self._closed = True
        for start in self._starting:
            start.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        await asyncio.gather(*(child.end() for child in list(self._children)))
        self._children.clear()
        self._free.put_nowait(None)  # wakes the waiting callers one after the other

    def sandbox(self) -> dict[str, list[str]]:
        """Return the protections of the child processes: `active`, and `missing` on this kernel."""
        missing = [name for name in PROTECTIONS if name not in self._protections]
        return {"active": list(self._protections), "missing": missing}

    async def extract(
        self, document: ReadableFile, *, mime_type: str | None = None, name: str | None = None
    ) -> Extracted:
        """Return the text of a file: a path, or an open descriptor, which stays open.

        `name` and `mime_type` are those of the source. Raises `Skipped`, `ExtractionFailed` and
        `ExtractorUnavailable`.
        """
        header, body = await self._read(document, mime_type, name, None, None)
        return _extracted(header, body)

    async def extract_chunks(
        self,
        document: ReadableFile,
        *,
        mime_type: str | None = None,
        name: str | None = None,
        target_chars: int = TARGET_CHARS,
        overlap_chars: int = OVERLAP_CHARS,
        on_stage: OnStage | None = None,
    ) -> tuple[Extracted, list[Chunk]]:
        """Return the text of a file, and its chunks.

        `on_stage` is called with "extraction" and "chunking", and with 0.0 at the beginning and
        1.0 at the end of each. Raises the same errors as `extract`.
        """
        sizes = {"target_chars": target_chars, "overlap_chars": overlap_chars}
        header, body = await self._read(document, mime_type, name, sizes, on_stage)
        if len(body) > _LARGE_BYTES:
            return await asyncio.to_thread(_document, header, body)
        return _document(header, body)

    async def _read(
        self,
        document: ReadableFile,
        mime_type: str | None,
        name: str | None,
        sizes: dict[str, int] | None,
        on_stage: OnStage | None,
    ) -> Frame:
        request = {
            "name": _printable(name or _name_of(document)),
            "mime_type": mime_type,
            "limits": self._limits,
            "chunks": sizes,
        }
        if isinstance(document, int):
            header, body = await self._ask(request, document, on_stage)
        elif PASSES_DESCRIPTORS:
            descriptor = await asyncio.to_thread(open_document, document)
            try:
                header, body = await self._ask(request, descriptor, on_stage)
            finally:
                os.close(descriptor)
        else:
            header, body = await self._ask(request, _encoded_path(document), on_stage)
        if header["type"] == "refused":
            kind = Skipped if header["outcome"] == "skipped" else ExtractionFailed
            raise kind(header["message"], code=header["code"], retryable=header["retryable"])
        return header, body

    async def _ask(
        self, request: dict[str, Any], document: int | bytes, on_stage: OnStage | None
    ) -> Frame:
        """Send a request to a free child process, or to another one if that has died before."""
        for _ in range(self._processes + 1):
            child = await self._take()
            try:
                frame = await child.ask(request, document, self._timeout_seconds, on_stage)
            except ExtractionFailed as failure:
                log.warning(
                    "extraction_failed", code=failure.code, error_line=child.last_error_line
                )
                raise
            finally:
                self._release(child)
            if frame is not None:
                return frame
        raise ExtractionFailed(
            "The extractor was killed by another program.",
            code=ErrorCode.EXTRACTION_CRASHED,
            retryable=True,
        )

    async def _take(self) -> ExtractorProcess:
        """Wait for a free child process. Raises `ExtractorUnavailable` and RuntimeError."""
        start = await self._free.get()
        if self._closed:
            self._free.put_nowait(None)
            raise RuntimeError("the extractor pool is closed")
        start = start or self._start()
        try:
            return await asyncio.shield(start)
        except BaseException:
            failed = start.done() and (start.cancelled() or start.exception() is not None)
            self._free.put_nowait(None if failed else start)
            raise

    def _release(self, child: ExtractorProcess) -> None:
        if self._closed:
            return
        if not child.is_alive or self._is_spent(child):
            self._free.put_nowait(self._start(instead_of=child))
            return
        free: _Start = asyncio.get_running_loop().create_future()
        free.set_result(child)
        self._free.put_nowait(free)

    def _is_spent(self, child: ExtractorProcess) -> bool:
        return child.files_read >= FILES_PER_PROCESS or child.is_spent()

    def _start(self, instead_of: ExtractorProcess | None = None) -> _Start:
        start = asyncio.create_task(self._replace(instead_of))
        self._starting.add(start)
        start.add_done_callback(self._starting.discard)
        return start

    async def _replace(self, old: ExtractorProcess | None) -> ExtractorProcess:
        if old:
            await old.end()
            self._children.discard(old)
        child = await ExtractorProcess.start(self._child_limits, self._ocr_data)
        self._protections = child.protections
        self._children.add(child)
        return child


def _encoded_path(path: Path) -> bytes:
    return os.fsencode(path.absolute())


def _name_of(document: ReadableFile) -> str:
    return "" if isinstance(document, int) else document.name


def _printable(name: str) -> str:
    return os.fsencode(name).decode(errors="replace")


def _document(header: dict[str, Any], body: bytes) -> tuple[Extracted, list[Chunk]]:
    extracted = _extracted(header, body)
    return extracted, chunks_of(extracted.text, header["spans"])


def _extracted(header: dict[str, Any], body: bytes) -> Extracted:
    return Extracted(
        text=body.decode(),
        mime_type=header["mime_type"],
        page_starts=tuple(header["page_starts"]),
        tables=tuple(map(_table, header["tables"])),
        title=header["title"],
        is_markdown=header["is_markdown"],
    )


def _table(found: dict[str, Any]) -> Table:
    rows = tuple(map(tuple, found["rows"]))
    return Table(found["name"], tuple(found["columns"]), rows, found["row_count"])
