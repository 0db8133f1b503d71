"""Converts documents with the kreuzberg library: RTF, Word 97, and the basis of other readers."""

from __future__ import annotations

import re
from typing import Any

import kreuzberg

from raglive.extraction.model import ReaderOutput, Refusal, failed, skipped
from raglive.extraction.readers.password_protection import refuse_protected
from raglive_contract.errors import ErrorCode

__all__ = ["COMMON_OPTIONS", "convert", "has_panicked", "kreuzberg_reader"]

COMMON_OPTIONS: dict[str, Any] = {
    "use_cache": False,
    "disable_ocr": True,
    # Quality processing takes five times as long and did not change the text of the test corpus.
    "enable_quality_processing": False,
    "postprocessor": kreuzberg.PostProcessorConfig(enabled=False),
}
_PLAIN = kreuzberg.ExtractionConfig(**COMMON_OPTIONS)
_PROTECTED = re.compile(r"password|encrypt", re.I)
_WORD_95 = re.compile(r"Invalid DOC magic number: 0x(?:A5D|A69)")


_panics: list[str] = []


def convert(data: bytes, mime_type: str, config: kreuzberg.ExtractionConfig = _PLAIN) -> Any:
    """Convert a document with kreuzberg. Raises `Refusal` for its errors."""
    try:
        return kreuzberg.extract_bytes_sync(data, mime_type, config=config)
    except MemoryError:
        raise
    except Exception as error:
        raise _refusal(str(error)) from error
    except BaseException as error:  # a panic of native code is not an Exception
        if type(error).__name__ != "PanicException":
            raise
        _panics.append(str(error))
        message = f"The document cannot be read: its reader crashed ({_panics[-1][:200]})."
        raise failed(ErrorCode.EXTRACTION_ERROR, message) from error


def has_panicked() -> bool:
    """Check whether native code panicked, which may have left it in a bad state."""
    return bool(_panics)


def kreuzberg_reader(mime_type: str) -> Any:
    """Return a reader of a format that only needs kreuzberg."""

    def read(data: bytes, _name: str) -> ReaderOutput:
        refuse_protected(data)
        result = convert(data, mime_type)
        return ReaderOutput([result.content], title=result.metadata.get("title"))

    return read


def _refusal(message: str) -> Refusal:
    if _PROTECTED.search(message):
        return skipped(ErrorCode.ENCRYPTED, "The document is protected by a password.")
    if _WORD_95.search(message):
        what = "Documents of Word 95 and older are not read; save it in a newer format."
        return skipped(ErrorCode.UNSUPPORTED, what)
    if "limit exceeded" in message:
        return skipped(
            ErrorCode.TOO_LARGE, "The document unpacks to more than the limit for one file."
        )
    # kreuzberg nests its messages: "ParsingError: Invalid PDF: X: Invalid PDF: X".
    parts = dict.fromkeys(part.strip() for part in message[:600].split(": "))
    reason = ": ".join(part for part in parts if part and not part.endswith("Error"))
    return failed(
        ErrorCode.EXTRACTION_ERROR, f"The document cannot be read: {(reason or message)[:300]}."
    )
