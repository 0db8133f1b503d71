"""The ways in which a file yields no text, as the rest of the pipeline sees them."""

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
    """Nothing is wrong with the file, but there is nothing in it to index. `code`: a `SkipCode`."""

    code = "unsupported"


class ExtractionFailed(RagliveError):
    """The file should have been readable. `code`: a `FailureCode`."""

    code = "extraction_error"


class ExtractorUnavailable(RagliveError):
    """The extractor itself cannot start on this machine: no file's fault."""

    code = "extractor_unavailable"
    retryable = True
