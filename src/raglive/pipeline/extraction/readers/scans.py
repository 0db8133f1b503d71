"""Scans and pictures, read by Tesseract, which kreuzberg carries."""

from __future__ import annotations

from functools import cache

import kreuzberg

from raglive.pipeline.extraction.model import Draft
from raglive.pipeline.extraction.readers.native import COMMON_OPTIONS, convert, pages_of

__all__ = ["SCANS", "read_scan"]

SCANS = frozenset({"application/pdf", "image/png", "image/jpeg", "image/tiff", "image/webp"})


def read_scan(data: bytes, mime_type: str, languages: str) -> Draft:
    """Read a picture, or a PDF, whose pages are recognised where they hold no text."""
    result = convert(data, mime_type, _recognising(languages))
    return Draft(pages_of(result), paged=True, title=result.metadata.get("title"))


@cache
def _recognising(languages: str) -> kreuzberg.ExtractionConfig:
    tesseract = kreuzberg.TesseractConfig(language=languages, use_cache=False)
    return kreuzberg.ExtractionConfig(
        **COMMON_OPTIONS | {"disable_ocr": False},
        ocr=kreuzberg.OcrConfig(
            backend="tesseract", language=languages, tesseract_config=tesseract
        ),
        pages=kreuzberg.PageConfig(extract_pages=True),
    )
