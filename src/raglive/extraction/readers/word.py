"""Word documents: the body with its headers, footers, notes and comments."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from raglive.extraction.model import ReaderOutput
from raglive.extraction.readers.html import declared_charset, html_to_text
from raglive.extraction.readers.office_package import OfficePackage
from raglive.extraction.readers.word_styles import Numbering, Styles, W
from raglive.extraction.readers.word_text import WordText
from raglive.extraction.text_encoding import decode

__all__ = ["read_docx"]

_HTML_NAMES = (".htm", ".html", ".xhtml", ".mht")


def read_docx(data: bytes, _name: str) -> ReaderOutput:
    """Read a Word document. Each header comes once, at the start; notes come at the end."""
    with OfficePackage(data) as package:
        document = _Document(package)
        return ReaderOutput(list(document.parts()), title=package.title(), is_markdown=True)


class _Document:
    """The parts of a document, as its main part refers to them."""

    def __init__(self, package: OfficePackage) -> None:
        self._package = package
        self._main = package.main_part()
        self._relations = package.relations(self._main)
        styles = Styles(next(self._roots("styles"), None))
        numbering = Numbering(next(self._roots("numbering"), None), styles)
        self._text = WordText(styles, numbering, self._alternative)

    def parts(self) -> Iterator[str]:
        yield from self._once("header")
        root = self._package.xml(self._main)
        body = root.find(f"{W}body") if root is not None else None
        if body is not None:
            yield self._text.text(body)
        yield from self._list("Notes:", "footnotes", "endnotes")
        yield from self._list("Comments:", "comments")
        yield from self._once("footer")

    def _roots(self, *kinds: str) -> Iterator[Element]:
        for kind, path in self._relations.values():
            root = self._package.xml(path) if kind in kinds else None
            if root is not None:
                yield root

    def _once(self, kind: str) -> Iterator[str]:
        """Yield the different headers or footers, of which each section may have three."""
        yield from dict.fromkeys(map(self._text.text, self._roots(kind)))

    def _list(self, name: str, *kinds: str) -> Iterator[str]:
        notes = (note for root in self._roots(*kinds) for note in root)
        texts = (self._text.one_line(note) for note in notes if not note.get(f"{W}type"))
        lines = [f"- {text}" for text in texts if text]
        yield from ["\n".join([name, *lines])] if lines else []

    def _alternative(self, identity: str) -> str:
        """Return the text of a web page that the document includes."""
        _, path = self._relations.get(identity, ("", ""))
        page = self._package.read(path) if path.endswith(_HTML_NAMES) else None
        return html_to_text(decode(page, declared_charset(page)))[0] if page else ""
