"""Formats that the kreuzberg library reads: PDF, scans, RTF, Word 97 and others."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import kreuzberg

from raglive.extraction.model import ReaderOutput, Refusal, failed, skipped
from raglive.extraction.readers.password_protection import refuse_protected

__all__ = [
    "COMMON_OPTIONS",
    "SCAN_TYPES",
    "convert",
    "has_panicked",
    "load_pdf_library",
    "native_reader",
    "pages_of",
    "read_pdf",
    "read_scan",
]

COMMON_OPTIONS: dict[str, Any] = {
    "use_cache": False,
    "disable_ocr": True,
    # Quality processing takes five times as long and did not change the text of the test corpus.
    "enable_quality_processing": False,
    "postprocessor": kreuzberg.PostProcessorConfig(enabled=False),
}
_PLAIN = kreuzberg.ExtractionConfig(**COMMON_OPTIONS)
_PAGES = kreuzberg.ExtractionConfig(
    **COMMON_OPTIONS, pages=kreuzberg.PageConfig(extract_pages=True)
)

SCAN_TYPES = frozenset({"application/pdf", "image/png", "image/jpeg", "image/tiff", "image/webp"})

_BLANK_PDF = b"""%PDF-1.4
1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj
2 0 obj <</Type /Pages /Kids [3 0 R] /Count 1>> endobj
3 0 obj <</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9]>> endobj
trailer <</Root 1 0 R>>
%%EOF
"""

_PROTECTED = re.compile(r"password|encrypt", re.I)
_WORD_95 = re.compile(r"Invalid DOC magic number: 0x(?:A5D|A69)")
_HYPHEN_BEFORE_CAPITAL = re.compile("\x02(?=[A-Z0-9\u00c0-\u00de\u0391-\u03a9\u0410-\u042f])")


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
        raise failed("extraction_error", message) from error


def has_panicked() -> bool:
    """Check whether native code panicked, which may have left it in a bad state."""
    return bool(_panics)


def load_pdf_library() -> None:
    """Make kreuzberg unpack and load its PDF library before the sandbox forbids writing files.

    Raises `Refusal` when that fails.
    """
    read_pdf(_BLANK_PDF, "blank.pdf")


def native_reader(mime_type: str) -> Any:
    """Return a reader of a format that only needs kreuzberg."""

    def read(data: bytes, _name: str) -> ReaderOutput:
        refuse_protected(data)
        result = convert(data, mime_type)
        return ReaderOutput([result.content], title=result.metadata.get("title"))

    return read


def read_pdf(data: bytes, _name: str) -> ReaderOutput:
    """Read a PDF page by page."""
    result = convert(data, "application/pdf", _PAGES)
    return ReaderOutput(pages_of(result), paged=True, title=result.metadata.get("title"))


def read_scan(data: bytes, mime_type: str, languages: str) -> ReaderOutput:
    """Read a picture or PDF, with text recognition for pages without text."""
    result = convert(data, mime_type, _recognition_config(languages))
    return ReaderOutput(pages_of(result), paged=True, title=result.metadata.get("title"))


@cache
def _recognition_config(languages: str) -> kreuzberg.ExtractionConfig:
    tesseract = kreuzberg.TesseractConfig(language=languages, use_cache=False)
    return kreuzberg.ExtractionConfig(
        **COMMON_OPTIONS | {"disable_ocr": False},
        ocr=kreuzberg.OcrConfig(
            backend="tesseract", language=languages, tesseract_config=tesseract
        ),
        pages=kreuzberg.PageConfig(extract_pages=True),
    )


def pages_of(result: Any) -> list[str]:
    """Return the text of each page that kreuzberg found."""
    pages = [_joined_words(page["content"]) for page in result.pages or []]
    return pages or [result.content]


def _joined_words(page: str) -> str:
    """Join hyphenated words: pdfium marks the hyphen at a line break with U+0002."""
    return _HYPHEN_BEFORE_CAPITAL.sub("-", page).replace("\x02", "") if "\x02" in page else page


def _refusal(message: str) -> Refusal:
    if _PROTECTED.search(message):
        return skipped("encrypted", "The document is protected by a password.")
    if _WORD_95.search(message):
        what = "Documents of Word 95 and older are not read; save it in a newer format."
        return skipped("unsupported", what)
    if "limit exceeded" in message:
        return skipped("too_large", "The document unpacks to more than the limit for one file.")
    # kreuzberg nests its messages: "ParsingError: Invalid PDF: X: Invalid PDF: X".
    parts = dict.fromkeys(part.strip() for part in message[:600].split(": "))
    reason = ": ".join(part for part in parts if part and not part.endswith("Error"))
    return failed("extraction_error", f"The document cannot be read: {(reason or message)[:300]}.")
