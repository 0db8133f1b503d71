"""PDF documents, and text recognition in scans and pictures."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import kreuzberg

from raglive.extraction.model import ReaderOutput
from raglive.extraction.readers.kreuzberg_adapter import COMMON_OPTIONS, convert
from raglive.extraction.readers.pdf_forms import with_form_values

__all__ = ["SCAN_TYPES", "load_pdf_library", "read_pdf", "read_scan"]

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

_HYPHEN_BEFORE_CAPITAL = re.compile("\x02(?=[A-Z0-9\u00c0-\u00de\u0391-\u03a9\u0410-\u042f])")


def load_pdf_library() -> None:
    """Make kreuzberg unpack and load its PDF library before the sandbox forbids writing files.

    Raises `Refusal` when that fails.
    """
    read_pdf(_BLANK_PDF, "blank.pdf")


def read_pdf(data: bytes, _name: str) -> ReaderOutput:
    """Read a PDF page by page."""
    result = convert(data, "application/pdf", _PAGES)
    pages = with_form_values(data, pages_of(result))
    return ReaderOutput(pages, paged=True, title=result.metadata.get("title"))


def read_scan(data: bytes, mime_type: str, languages: str) -> ReaderOutput:
    """Read a picture or PDF, with text recognition for pages without text."""
    result = convert(data, mime_type, _recognition_config(languages))
    pages = pages_of(result)
    if mime_type == "application/pdf":
        pages = with_form_values(data, pages)
    return ReaderOutput(pages, paged=True, title=result.metadata.get("title"))


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
