"""Media types of Google Drive, and the export formats of Google's own."""

from __future__ import annotations

import mimetypes

__all__ = [
    "CSV",
    "DOCUMENT",
    "DOCX",
    "DRAWING",
    "EXPORT_FORMATS",
    "FOLDER",
    "FORM",
    "HTML",
    "MAP",
    "MARKDOWN",
    "PDF",
    "PLAIN",
    "PPTX",
    "PRESENTATION",
    "SHORTCUT",
    "SITE",
    "SPREADSHEET",
    "XLSX",
    "guess_mime_type",
    "is_native",
]

_GOOGLE = "application/vnd.google-apps."
FOLDER = _GOOGLE + "folder"
SHORTCUT = _GOOGLE + "shortcut"
DOCUMENT = _GOOGLE + "document"
SPREADSHEET = _GOOGLE + "spreadsheet"
PRESENTATION = _GOOGLE + "presentation"
DRAWING = _GOOGLE + "drawing"
FORM = _GOOGLE + "form"
SITE = _GOOGLE + "site"
MAP = _GOOGLE + "map"

PLAIN = "text/plain"
MARKDOWN = "text/markdown"
HTML = "text/html"
CSV = "text/csv"
PDF = "application/pdf"
_OFFICE = "application/vnd.openxmlformats-officedocument."
DOCX = _OFFICE + "wordprocessingml.document"
XLSX = _OFFICE + "spreadsheetml.sheet"
PPTX = _OFFICE + "presentationml.presentation"

# By type: the format's media type, and its name in an export link.
EXPORT_FORMATS: dict[str, dict[str, str]] = {
    DOCUMENT: {
        "application/rtf": "rtf",
        "application/vnd.oasis.opendocument.text": "odt",
        HTML: "html",
        PDF: "pdf",
        "text/x-markdown": "md",
        MARKDOWN: "markdown",
        "application/epub+zip": "epub",
        "application/zip": "zip",
        DOCX: "docx",
        PLAIN: "txt",
    },
    SPREADSHEET: {
        "application/x-vnd.oasis.opendocument.spreadsheet": "ods",
        "text/tab-separated-values": "tsv",
        PDF: "pdf",
        XLSX: "xlsx",
        CSV: "csv",
        "application/zip": "zip",
    },
    PRESENTATION: {
        "application/vnd.oasis.opendocument.presentation": "odp",
        PDF: "pdf",
        PPTX: "pptx",
        PLAIN: "txt",
    },
    DRAWING: {"image/svg+xml": "svg", "image/png": "png", PDF: "pdf", "image/jpeg": "jpeg"},
    FORM: {"application/zip": "zip"},
    SITE: {PLAIN: "txt"},
}


def is_native(mime_type: str) -> bool:
    """Return whether a media type is one of Google's own formats."""
    return mime_type.startswith(_GOOGLE)


def guess_mime_type(name: str) -> str:
    """Return the media type for a file name, as at an upload."""
    if name.lower().endswith(".md"):
        return MARKDOWN
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
