"""XML, and the feeds among it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from raglive.extraction.model import ReaderOutput, failed, skipped
from raglive.extraction.readers.html import declared_charset, html_to_text
from raglive.extraction.readers.zip_container import ZipContainer
from raglive.extraction.text_encoding import decode

__all__ = ["read_epub", "read_feed", "read_xml"]

_BODIES = ("encoded", "content", "description", "summary")
_FACTS = ("link", "pubDate", "published", "updated", "date", "creator", "author")


def read_xml(data: bytes, _name: str) -> ReaderOutput:
    """Read any XML as lines of `element: text`; what is not well-formed is read as it stands."""
    root = _parsed(data)
    return ReaderOutput([decode(data) if root is None else "\n".join(_lines(root))])


def read_feed(data: bytes, name: str) -> ReaderOutput:
    """Read RSS or Atom: an article after the other."""
    root = _parsed(data)
    if root is None:
        return read_xml(data, name)
    title = _child_text(root, "title") or _child_text(root.find("channel"), "title")
    entries = [e for e in root.iter() if _local(e) in {"item", "entry"}]
    if not entries:
        return read_xml(data, name)
    parts = [f"# {title}" if title else "", *map(_entry, entries)]
    return ReaderOutput(parts, title=title, is_markdown=True)


def _parsed(data: bytes) -> Element | None:
    try:
        return ElementTree.fromstring(data)  # noqa: S314 - expat >= 2.4.1 refuses entity bombs
    except (ElementTree.ParseError, LookupError, ValueError):
        return None


def _entry(entry: Element) -> str:
    facts = filter(None, (_child_text(entry, name) for name in _FACTS))
    body = next(filter(None, (_child_text(entry, name) for name in _BODIES)), "")
    return f"## {_child_text(entry, 'title')}\n{' · '.join(facts)}\n\n{html_to_text(body)[0]}"


def _child_text(parent: Element | None, name: str) -> str:
    for child in parent if parent is not None else ():
        if _local(child) == name:
            text = "".join(child.itertext()).strip() or child.get("href", "")
            if text:
                return text
    return ""


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _lines(root: Element) -> Iterator[str]:
    """Attributes and text of every element; an element with text of its own is one line."""
    waiting = [root]
    while waiting:
        element = waiting.pop()
        name = _local(element)
        yield from (f"{name} {key.rpartition('}')[2]}: {value}" for key, value in element.items())
        if _has_text(element) or not len(element):
            text = " ".join("".join(element.itertext()).split())
            yield from [f"{name}: {text}"] if text else []
        else:
            waiting.extend(reversed(element))


def _has_text(element: Element) -> bool:
    return any((text or "").strip() for text in (element.text, *(c.tail for c in element)))


_OPF = "{http://www.idpf.org/2007/opf}"
_CONTAINER = "{urn:oasis:names:tc:opendocument:xmlns:container}"
_DC_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_PAGES = {"application/xhtml+xml", "text/html"}


def read_epub(data: bytes, _name: str) -> ReaderOutput:
    """Read a book; one that its seller has locked is refused as encrypted."""
    with ZipContainer(data) as archive:
        if "META-INF/rights.xml" in archive.names:
            raise skipped("encrypted", "The book is locked by its seller (DRM).")
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
        raise failed("extraction_error", "The book is damaged: it has no table of its parts.")
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
