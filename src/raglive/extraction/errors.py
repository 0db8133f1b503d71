"""The errors of extraction that the pipeline handles."""

from __future__ import annotations

from typing import Literal

from raglive_contract.errors import RagliveError

__all__ = ["ExtractionFailed", "ExtractorUnavailable", "FailureCode", "SkipCode", "Skipped"]

SkipCode = Literal["unsupported", "encrypted", "empty", "no_text", "too_large"]
FailureCode = Literal[
    "extraction_error",
    "extraction_timeout",
    "extraction_out_of_memory",
    "extraction_crashed",
    "file_unreadable",
    "file_changed",
]


class Skipped(RagliveError):
    """The file is intact, but contains no text that can be indexed. `code` is a `SkipCode`."""

    code = "unsupported"


class ExtractionFailed(RagliveError):
    """The file should have been readable. `code` is a `FailureCode`."""

    code = "extraction_error"


class ExtractorUnavailable(RagliveError):
    """The extractor cannot be started on this machine, whatever the file."""

    code = "extractor_unavailable"
    retryable = True
