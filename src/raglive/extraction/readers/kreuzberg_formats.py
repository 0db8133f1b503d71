"""Formats that kreuzberg reads for us: PDF, RTF, OpenDocument and others."""

from __future__ import annotations

import re
from typing import Any

import kreuzberg

from raglive.extraction.model import ReaderOutput, Refusal, failed, skipped
from raglive.extraction.readers.password_protection import refuse_protected

__all__ = [
    "COMMON_OPTIONS",
    "convert",
    "has_panicked",
    "load_pdf_library",
    "native_reader",
    "pages_of",
    "read_pdf",
]

COMMON_OPTIONS: dict[str, Any] = {
    "use_cache": False,
    "disable_ocr": True,
    # Same text with and without, measured over the corpus, and a fifth of the time.
    "enable_quality_processing": False,
    "postprocessor": kreuzberg.PostProcessorConfig(enabled=False),
}
_PLAIN = kreuzberg.ExtractionConfig(**COMMON_OPTIONS)
_PAGES = kreuzberg.ExtractionConfig(
    **COMMON_OPTIONS, pages=kreuzberg.PageConfig(extract_pages=True)
)

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
    """Run kreuzberg on `data`, its errors turned into refusals."""
    try:
        return kreuzberg.extract_bytes_sync(data, mime_type, config=config)
    except MemoryError:
        raise
    except Exception as error:
        raise _refusal(str(error)) from error
    except BaseException as error:  # a panic of native code is no Exception
        if type(error).__name__ != "PanicException":
            raise
        _panics.append(str(error))
        message = f"The document cannot be read: its reader gave up ({_panics[-1][:200]})."
        raise failed("extraction_error", message) from error


def has_panicked() -> bool:
    """Tell whether native code may have left something in a bad state."""
    return bool(_panics)


def load_pdf_library() -> None:
    """Have kreuzberg unpack and load its PDF library, while files may still be written.

    Raises `Refusal` when it cannot.
    """
    read_pdf(_BLANK_PDF, "blank.pdf")


def native_reader(mime_type: str) -> Any:
    """Return a reader of a format that needs nothing beside kreuzberg."""

    def read(data: bytes, _name: str) -> ReaderOutput:
        refuse_protected(data)
        result = convert(data, mime_type)
        return ReaderOutput([result.content], title=result.metadata.get("title"))

    return read


def read_pdf(data: bytes, _name: str) -> ReaderOutput:
    """Read a PDF page by page."""
    result = convert(data, "application/pdf", _PAGES)
    return ReaderOutput(pages_of(result), paged=True, title=result.metadata.get("title"))


def pages_of(result: Any) -> list[str]:
    """Return the text of each page that kreuzberg found."""
    pages = [_joined_words(page["content"]) for page in result.pages or []]
    return pages or [result.content]


def _joined_words(page: str) -> str:
    """Undo hyphenation: pdfium marks the end of a broken line with U+0002."""
    return _HYPHEN_BEFORE_CAPITAL.sub("-", page).replace("\x02", "") if "\x02" in page else page


def _refusal(message: str) -> Refusal:
    if _PROTECTED.search(message):
        return skipped("encrypted", "The document is protected by a password.")
    if _WORD_95.search(message):
        what = "Documents of Word 95 and older are not read; save it in a newer format."
        return skipped("unsupported", what)
    if "limit exceeded" in message:
        return skipped("too_large", "The document unpacks to more than is read of one file.")
    # kreuzberg nests its messages: "ParsingError: Invalid PDF: X: Invalid PDF: X".
    parts = dict.fromkeys(part.strip() for part in message[:600].split(": "))
    reason = ": ".join(part for part in parts if part and not part.endswith("Error"))
    return failed("extraction_error", f"The document cannot be read: {(reason or message)[:300]}.")
