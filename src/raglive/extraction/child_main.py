"""The main function of a child process: reads files for its parent, over its standard streams."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from raglive.bus.pipe_protocol import pack, read_frame
from raglive.extraction.chunking import find_spans
from raglive.extraction.document_channel import receive
from raglive.extraction.file_reader import read_file
from raglive.extraction.model import Extracted, ExtractionLimits, Refusal, failed
from raglive.extraction.readers.kreuzberg_adapter import has_panicked
from raglive.extraction.readers.pdf import load_pdf_library
from raglive.extraction.sandbox import Limits, confine
from raglive_contract.errors import ErrorCode

__all__ = ["main"]

Send = Callable[..., None]

_LONG_CHARS = 1_000_000


def main(arguments: list[str]) -> None:
    """Serve requests until the parent closes the pipe.

    The arguments are the limits of memory (bytes) and processor time (seconds), and the descriptor
    of the socket over which the documents arrive; without it, requests name paths.
    """
    requests, send = _private_streams()
    memory_bytes, cpu_seconds, *channel = map(int, arguments)
    documents = socket.socket(fileno=channel[0]) if channel else None
    _unpack_pdf_library()
    active = confine(Limits(memory_bytes, cpu_seconds), _data_folders())
    load_pdf_library()  # starts threads, which have to be confined too
    send({"type": "ready", "protections": active})
    while (frame := read_frame(requests)) is not None:
        request, path = frame
        document = receive(documents) if documents else Path(os.fsdecode(path))
        if not _serve(request, document, send):
            return  # an error may have left the libraries in a bad state


def _unpack_pdf_library() -> None:
    """Make kreuzberg write its PDF library and the folder of its cache, before that is forbidden.

    On Linux another process does this, because loading the library starts threads.
    """
    if sys.platform != "linux":
        load_pdf_library()
        return
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)  # if it failed, loading fails too, and says why
        return
    try:
        load_pdf_library()
    finally:
        os._exit(0)


def _data_folders() -> list[Path]:
    names = ("TESSDATA_PREFIX", "KREUZBERG_CACHE_DIR", "TMPDIR")
    return [Path(os.environ[name]) for name in names if name in os.environ]


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


def _serve(request: dict[str, Any], document: Path | int, send: Send) -> bool:
    """Answer one request; return False if the process should not be used again."""
    try:
        _stage(send, "extraction", 0.0)
        limits = ExtractionLimits(**request["limits"])
        extracted = read_file(document, request["name"], request["mime_type"], limits)
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
    """Send the result of a file, and whether this process can read another one."""
    send(header | {"is_fit": is_fit and not has_panicked()}, body)


if __name__ == "__main__":
    main(sys.argv[1:])
