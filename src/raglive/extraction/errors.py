"""The errors of extraction that the pipeline handles."""

from __future__ import annotations

from typing import Literal

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["ExtractionFailed", "ExtractorUnavailable", "FailureCode", "SkipCode", "Skipped"]

SkipCode = Literal[
    ErrorCode.UNSUPPORTED,
    ErrorCode.ENCRYPTED,
    ErrorCode.EMPTY,
    ErrorCode.NO_TEXT,
    ErrorCode.TOO_LARGE,
]
FailureCode = Literal[
    ErrorCode.EXTRACTION_ERROR,
    ErrorCode.EXTRACTION_TIMEOUT,
    ErrorCode.EXTRACTION_OUT_OF_MEMORY,
    ErrorCode.EXTRACTION_CRASHED,
    ErrorCode.FILE_UNREADABLE,
    ErrorCode.FILE_CHANGED,
]


class Skipped(RagliveError):
    """The file has no text that can be indexed. `code` is a `SkipCode`, or one of a source."""

    code = ErrorCode.UNSUPPORTED


class ExtractionFailed(RagliveError):
    """The file should have been readable. `code` is a `FailureCode`."""

    code = ErrorCode.EXTRACTION_ERROR


class ExtractorUnavailable(RagliveError):
    """The extractor cannot be started on this machine, whatever the file."""

    code = ErrorCode.EXTRACTOR_UNAVAILABLE
    retryable = True
