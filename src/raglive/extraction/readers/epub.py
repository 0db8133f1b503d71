"""EPUB books."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from raglive.extraction.model import ReaderOutput, failed, skipped
from raglive.extraction.readers.html import declared_charset, html_to_text
from raglive.extraction.readers.zip_container import ZipContainer
from raglive.extraction.text_encoding import decode
from raglive_contract.errors import ErrorCode

__all__ = ["read_epub"]

_OPF = "{http://www.idpf.org/2007/opf}"
_CONTAINER = "{urn:oasis:names:tc:opendocument:xmlns:container}"
_DC_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_PAGES = {"application/xhtml+xml", "text/html"}


def read_epub(data: bytes, _name: str) -> ReaderOutput:
    """Read a book. One with DRM is refused as encrypted."""
    with ZipContainer(data) as archive:
        if "META-INF/rights.xml" in archive.names:
            raise skipped(ErrorCode.ENCRYPTED, "The book is protected by DRM.")
        package_path, package = _package(archive)
        pages = (archive.read(path) for path in _spine(package_path, package))
        parts = [html_to_text(decode(page, declared_charset(page)))[0] for page in pages if page]
        return ReaderOutput(parts, title=package.findtext(f".//{_DC_TITLE}"), is_markdown=True)


def _package(archive: ZipContainer) -> tuple[str, Element]:
    container = archive.xml("META-INF/container.xml")
    root = container.find(f".//{_CONTAINER}rootfile") if container is not None else None
    path = root.get("full-path", "") if root is not None else ""
    package = archive.xml(path)
    if package is None:
        raise failed(
            ErrorCode.EXTRACTION_ERROR, "The book is damaged: its package file is missing."
        )
    return path, package


def _spine(package_path: str, package: Element) -> list[str]:
    folder = posixpath.dirname(package_path)
    files = {
        item.get("id", ""): posixpath.normpath(
            posixpath.join(folder, unquote(item.get("href", "")))
        )
        for item in package.iter(f"{_OPF}item")
        if item.get("media-type") in _PAGES
    }
    order = (item.get("idref", "") for item in package.iter(f"{_OPF}itemref"))
    return [files[key] for key in order if key in files]
