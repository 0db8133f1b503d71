"""XML documents, and RSS and Atom feeds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from raglive.extraction.model import ReaderOutput
from raglive.extraction.readers.html import html_to_text
from raglive.extraction.text_encoding import decode

__all__ = ["read_feed", "read_xml"]

_BODIES = ("encoded", "content", "description", "summary")
_SPACES = re.compile(r"\s+")
# Elements within a word or sentence, in HTML, DocBook, JATS, TEI and DITA.
_INLINE_NAMES = (
    "a abbr abbrev acronym b big bold citetitle code em emphasis ext-link filename font hi i "
    "italic link literal monospace named-content ph phrase productname q quote ref s sc small "
    "span strong sub subscript sup superscript t term tspan tt u ulink underline uicontrol "
    "varname xref"
)
_INLINE = frozenset(_INLINE_NAMES.split())
_FACTS = ("link", "pubDate", "published", "updated", "date", "creator", "author")


def read_xml(data: bytes, _name: str) -> ReaderOutput:
    """Read XML as lines of `element: text`, or as plain text if it is not well-formed."""
    root = _parsed(data)
    return ReaderOutput([decode(data) if root is None else "\n".join(_lines(root))])


def read_feed(data: bytes, name: str) -> ReaderOutput:
    """Read an RSS or Atom feed, one article after the other."""
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
    """Yield attributes and text of every element; an element with text is one line."""
    waiting = [root]
    while waiting:
        element = waiting.pop()
        name = _local(element)
        yield from (f"{name} {key.rpartition('}')[2]}: {value}" for key, value in element.items())
        if _has_text(element) or not len(element):
            text = _mixed_text(element)
            yield from [f"{name}: {text}"] if text else []
        else:
            waiting.extend(reversed(element))


def _mixed_text(root: Element) -> str:
    """Return all text of an element; an element that is not inline begins and ends a line."""
    pieces: list[str] = []
    waiting: list[Element | str] = [root]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            pieces.append(item)
            continue
        is_block = item is not root and _local(item) not in _INLINE
        edge = ["\n"] if is_block else []
        inside = [part for child in item for part in (child, _flat(child.tail))]
        waiting += reversed([*edge, _flat(item.text), *inside, *edge])
    lines = (line.strip() for line in "".join(pieces).split("\n"))
    return "\n".join(filter(None, lines))


def _flat(text: str | None) -> str:
    return _SPACES.sub(" ", text or "")


def _has_text(element: Element) -> bool:
    return any((text or "").strip() for text in (element.text, *(c.tail for c in element)))
