"""XML, and the feeds among it."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from raglive.pipeline.extraction.encoding import decode
from raglive.pipeline.extraction.model import Draft
from raglive.pipeline.extraction.readers.html import html_to_text

__all__ = ["read_feed", "read_xml"]

_BODIES = ("encoded", "content", "description", "summary")
_FACTS = ("link", "pubDate", "published", "updated", "date", "creator", "author")


def read_xml(data: bytes, _name: str) -> Draft:
    """Read any XML as lines of `element: text`; what is not well-formed is read as it stands."""
    root = _parsed(data)
    return Draft([decode(data) if root is None else "\n".join(_lines(root))])


def read_feed(data: bytes, name: str) -> Draft:
    """Read RSS or Atom: an article after the other."""
    root = _parsed(data)
    if root is None:
        return read_xml(data, name)
    title = _child_text(root, "title") or _child_text(root.find("channel"), "title")
    entries = [e for e in root.iter() if _local(e) in {"item", "entry"}]
    if not entries:
        return read_xml(data, name)
    parts = [f"# {title}" if title else "", *map(_entry, entries)]
    return Draft(parts, title=title, is_markdown=True)


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
