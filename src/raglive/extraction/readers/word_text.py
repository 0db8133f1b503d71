"""Paragraphs and tables of Word documents as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from xml.etree.ElementTree import Element

from raglive.extraction.readers.word_styles import Numbering, Styles, W, is_on, value_of

__all__ = ["WordText"]

_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_PICTURE = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}docPr"
_CHARACTERS = {
    f"{W}tab": "\t",
    f"{W}ptab": "\t",
    f"{W}br": "\n",
    f"{W}cr": "\n",
    f"{W}noBreakHyphen": "-",
}
# Properties, codes of fields, deleted text, the former place of moved text, and pronunciation.
_IGNORED = {
    W + name
    for name in (
        "pPr",
        "rPr",
        "sdtPr",
        "instrText",
        "delInstrText",
        "delText",
        "del",
        "moveFrom",
        "rt",
    )
}
_WRAPPERS = {
    W + name
    for name in ("sdt", "sdtContent", "customXml", "smartTag", "ins", "moveTo", "dir", "bdo")
}
_FORMULAS = {f"{_M}f": "/", f"{_M}sSup": "^", f"{_M}sSub": "_"}
_SHORT_CELL_CHARS = 160


class WordText:
    """Converts the elements of one document, in their order, as lists count on."""

    def __init__(
        self, styles: Styles, numbering: Numbering, read_alternative: Callable[[str], str]
    ) -> None:
        """`read_alternative` returns the text of the related part with this identifier."""
        self._styles = styles
        self._numbering = numbering
        self._read_alternative = read_alternative
        self._boxes: list[Element] = []

    def text(self, parent: Element) -> str:
        """Return paragraphs and tables, items of a list on consecutive lines."""
        text, was_item = "", False
        for block, is_item in self._blocks(parent):
            text += ("\n" if was_item and is_item else "\n\n") + block
            was_item = is_item
        return text.strip("\n")

    def one_line(self, parent: Element) -> str:
        """Return the paragraphs of a note or comment as one line."""
        return " ".join(self.text(parent).split())

    def _blocks(self, parent: Element) -> Iterator[tuple[str, bool]]:
        for element in parent:
            if element.tag == f"{W}p":
                yield from self._paragraph(element)
            elif element.tag == f"{W}tbl":
                yield "\n".join(self._rows(element)), False
            elif element.tag == f"{W}altChunk":
                yield self._read_alternative(element.get(f"{_R}id", "")), False
            elif element.tag in _WRAPPERS:
                yield from self._blocks(element)
            elif element.tag == f"{_MC}AlternateContent":
                yield from self._blocks(_choice(element))

    def _paragraph(self, paragraph: Element) -> Iterator[tuple[str, bool]]:
        properties = paragraph.find(f"{W}pPr")
        text = self._inline(paragraph).strip(" \n")
        mark = self._numbering.mark(properties) if text else ""
        heading = self._styles.heading_of(properties)
        if text:
            prefix = "#" * heading if heading else ""
            yield " ".join(filter(None, (prefix, mark, text))), bool(mark) and not heading
        boxes, self._boxes = self._boxes, []
        for box in boxes:
            yield self.text(box), False

    def _inline(self, parent: Element) -> str:
        return "".join(map(self._piece, parent))

    def _piece(self, element: Element) -> str:
        tag = str(element.tag)
        if tag == f"{W}t":
            return element.text or ""
        if tag in _CHARACTERS:
            return _CHARACTERS[tag]
        if tag in _IGNORED or (tag == f"{W}r" and self._is_hidden(element)):
            return ""
        return self._other_piece(element, tag)

    def _other_piece(self, element: Element, tag: str) -> str:
        if tag == f"{W}txbxContent":
            self._boxes.append(element)  # it follows the paragraph
            return ""
        if tag == _PICTURE:
            return f" {element.get('descr')} " if element.get("descr") else ""
        if tag == f"{_M}oMath":
            return _formula(element)
        return self._inline(_choice(element) if tag == f"{_MC}AlternateContent" else element)

    def _is_hidden(self, run: Element) -> bool:
        properties = run.find(f"{W}rPr")
        if properties is None:
            return False
        if value_of(properties, "vanish") is not None:
            return is_on(properties, "vanish")
        return self._styles.get(value_of(properties, "rStyle")).is_hidden

    def _rows(self, table: Element) -> Iterator[str]:
        above: dict[int, str] = {}
        for row in _children(table, "tr"):
            cells: list[str] = []
            for cell in _children(row, "tc"):
                cells += self._cell(cell, len(cells), above)
            if any("\n" in cell for cell in cells):
                yield "\n\n".join(filter(None, cells))
            elif any(cells):
                yield " | ".join(cells)

    def _cell(self, cell: Element, column: int, above: dict[int, str]) -> list[str]:
        """Return the cell's text, and an empty one for each further column that it spans."""
        properties = cell.find(f"{W}tcPr")
        merged = value_of(properties, "vMerge")
        text = self.text(cell)
        text = " ".join(text.split()) if len(text) <= _SHORT_CELL_CHARS else text
        if merged is not None and merged != "restart":
            text = text or above.get(column, "")
        above[column] = text if merged is not None and len(text) <= _SHORT_CELL_CHARS else ""
        span = value_of(properties, "gridSpan") or "1"
        return [text, *[""] * (min(int(span), 100) - 1 if span.isdecimal() else 0)]


def _children(parent: Element, name: str) -> Iterator[Element]:
    """Yield the rows or cells of a table, also within controls and tracked insertions."""
    for child in parent:
        if child.tag == W + name and value_of(child, "trPr/del") is None:
            yield child
        elif child.tag in _WRAPPERS:
            yield from _children(child, name)


def _choice(alternatives: Element) -> Element:
    """Return the first of several representations of the same content."""
    return next(iter(alternatives), alternatives)


def _formula(element: Element) -> str:
    """Return a formula on one line, as in `(a+b)/c`."""
    if element.tag == f"{_M}t":
        return element.text or ""
    pieces = [_formula(child) for child in element if not child.tag.endswith("Pr")]
    operator = _FORMULAS.get(str(element.tag))
    if operator is None:
        return "".join(pieces)
    return operator.join(
        f"({p})" if len(p) > 1 and not p.replace(".", "").isalnum() else p for p in pieces
    )
