"""The main function of a child process: reads files for its parent, over its standard streams."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from raglive.extraction.chunking import find_spans
from raglive.extraction.file_reader import read_file
from raglive.extraction.model import Extracted, ExtractionLimits, Refusal, failed
from raglive.extraction.pipe_protocol import pack, read_frame
from raglive.extraction.readers.kreuzberg_adapter import has_panicked
from raglive.extraction.readers.pdf import load_pdf_library
from raglive.extraction.sandbox import confine
from raglive_contract.errors import ErrorCode

__all__ = ["main"]

Send = Callable[..., None]

_LONG_CHARS = 1_000_000
_THIS_PROCESS = psutil.Process()


def main(arguments: list[str]) -> None:
    """Serve requests until the parent closes the pipe; takes the memory limit in bytes."""
    requests, send = _private_streams()
    load_pdf_library()
    confine(int(arguments[0]))
    send({"type": "ready"})
    while (frame := read_frame(requests)) is not None:
        request, path = frame
        if not _serve(request, Path(os.fsdecode(path)), send):
            return  # an error may have left the libraries in a bad state


def _private_streams() -> tuple[BinaryIO, Send]:
    """Detach the pipes from the standard streams, so that no library can write to them."""
    requests, replies = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    output = os.fdopen(replies, "wb")

    def send(header: dict[str, Any], body: bytes = b"", *, now: bool = True) -> None:
        output.write(pack(header, body))
        if now:
            output.flush()

    return os.fdopen(requests, "rb"), send


def _serve(request: dict[str, Any], path: Path, send: Send) -> bool:
    """Answer one request; return False if the process should not be used again."""
    try:
        _stage(send, "extraction", 0.0)
        limits = ExtractionLimits(**request["limits"])
        extracted = read_file(path, request["name"], request["mime_type"], limits)
        _stage(
            send, "extraction", 1.0, now=False
        )  # sent with the next frame, to wake the parent only once
        spans = _spans(extracted, request["chunks"], send)
        _answer(send, _document(extracted, spans), extracted.text.encode())
    except Refusal as refusal:
        _answer(send, _refused(refusal))
    except MemoryError:
        message = "Reading the file needs more memory than the limit allows."
        _answer(send, _refused(failed(ErrorCode.EXTRACTION_OUT_OF_MEMORY, message)), is_fit=False)
        return False
    except BaseException as error:
        reason = f"{type(error).__name__}: {error}"[:300]
        message = f"The file cannot be read: {reason}"
        _answer(send, _refused(failed(ErrorCode.EXTRACTION_ERROR, message)), is_fit=False)
        return False
    return not has_panicked()


def _stage(send: Send, stage: str, progress: float, *, now: bool = True) -> None:
    send({"type": "stage", "stage": stage, "progress": progress}, now=now)


def _spans(extracted: Extracted, sizes: dict[str, int] | None, send: Send) -> list[Any] | None:
    if sizes is None:
        return None
    _stage(send, "chunking", 0.0, now=len(extracted.text) > _LONG_CHARS)
    spans = list(find_spans(extracted, **sizes))
    _stage(send, "chunking", 1.0, now=False)
    return spans


def _document(extracted: Extracted, spans: list[Any] | None) -> dict[str, Any]:
    return {
        "type": "document",
        "mime_type": extracted.mime_type,
        "page_starts": extracted.page_starts,
        "tables": extracted.tables,
        "title": extracted.title,
        "is_markdown": extracted.is_markdown,
        "spans": spans,
    }


def _refused(refusal: Refusal) -> dict[str, Any]:
    return {
        "type": "refused",
        "outcome": refusal.outcome,
        "code": refusal.code,
        "message": refusal.message,
        "retryable": refusal.retryable,
    }


def _answer(send: Send, header: dict[str, Any], body: bytes = b"", *, is_fit: bool = True) -> None:
    """Send the result of a file, with the memory use and the health of this process."""
    memory_bytes = _THIS_PROCESS.memory_info().rss
    is_fit = is_fit and not has_panicked()
    send(header | {"is_fit": is_fit, "memory_bytes": memory_bytes}, body)


if __name__ == "__main__":
    main(sys.argv[1:])
