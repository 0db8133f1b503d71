"""Excel workbooks: the cells of each sheet as Excel shows them, formulas and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from xml.etree.ElementTree import Element, ParseError, iterparse

from raglive.extraction import mime_types
from raglive.extraction.model import ReaderOutput, Refusal, Table, failed
from raglive.extraction.readers.number_formats import BUILT_IN_FORMATS, GENERAL, shown_number
from raglive.extraction.readers.office_package import OfficePackage
from raglive.extraction.readers.spreadsheets import (
    MAX_TABLE_COLUMNS,
    tables_of,
    workbook_reader,
)
from raglive_contract.errors import ErrorCode

__all__ = ["read_xlsx"]

_S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_RANGE = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7}):\$?([A-Z]{1,3})\$?(\d{1,7})")
_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?\d+")
_BOOLEANS = {"0": "FALSE", "1": "TRUE"}
_SHORT_CELL_CHARS = 160

_read_by_kreuzberg = workbook_reader(mime_types.XLSX)


def read_xlsx(data: bytes, name: str) -> ReaderOutput:
    """Read a workbook, sheet by sheet. A formula without a stored result is shown itself."""
    try:
        with OfficePackage(data) as package:
            return _Workbook(package).read()
    except Refusal as refusal:
        if refusal.outcome == "skipped":
            raise
        draft: ReaderOutput = _read_by_kreuzberg(data, name)  # reads some damaged workbooks
        return draft


class _Workbook:
    """The sheets of a workbook, and what they share: texts and formats."""

    def __init__(self, package: OfficePackage) -> None:
        self._package = package
        self._main = package.main_part()
        self._relations = package.relations(self._main)
        self._root = self._xml(self._main)
        properties = self._root.find(f"{_S}workbookPr")
        self._is_1904 = properties is not None and properties.get("date1904") in {"1", "true"}
        self._texts = [_text(item) for root in self._shared("sharedStrings") for item in root]
        self._formats = [code for root in self._shared("styles") for code in _formats(root)]

    def read(self) -> ReaderOutput:
        parts: list[str] = []
        tables: list[Table] = []
        for sheet in self._root.iter(f"{_S}sheet"):
            kind, path = self._relations.get(sheet.get(f"{_R}id", ""), ("", ""))
            if kind != "worksheet" or path not in self._package.names:
                continue
            name = sheet.get("name", "")
            found, lines = tables_of(name, self._rows(path))
            tables += found
            comments = self._comments(path)
            if lines or comments:
                parts.append("\n".join([f"## {name}", "", *lines, *comments]))
        return ReaderOutput(
            parts, tables=tuple(tables), title=self._package.title(), is_markdown=True
        )

    def _xml(self, path: str) -> Element:
        root = self._package.xml(path)
        if root is None:
            raise failed(ErrorCode.EXTRACTION_ERROR, f"The file is damaged: {path} is missing.")
        return root

    def _shared(self, wanted: str) -> Iterator[Element]:
        for kind, path in self._relations.values():
            root = self._package.xml(path) if kind == wanted else None
            if root is not None:
                yield root

    def _rows(self, path: str) -> list[list[str]]:
        """Return the rows of a sheet, with one empty row for each gap between rows."""
        rows: list[list[str]] = []
        places: dict[int, int] = {}
        merged: list[str] = []
        number = 0
        try:
            for _, element in iterparse(BytesIO(self._package.part(path))):  # noqa: S314 - see zip_container
                if element.tag == f"{_S}row":
                    number = _number(element.get("r"), number + 1)
                    if rows and number - 1 not in places:
                        rows.append([])
                    places[number] = len(rows)
                    rows.append(self._cells(element))
                    element.clear()
                elif element.tag == f"{_S}mergeCell":
                    merged.append(element.get("ref", ""))
        except ParseError as error:
            message = f"The file is damaged: {path}: {error}."
            raise failed(ErrorCode.EXTRACTION_ERROR, message) from error
        for area in merged:
            _fill_down(rows, places, area)
        return rows

    def _cells(self, row: Element) -> list[str]:
        cells: list[str] = []
        for cell in row:
            found = _REFERENCE.fullmatch(cell.get("r", ""))
            column = _column(found[1]) if found else len(cells)
            cells += [""] * (min(column, MAX_TABLE_COLUMNS) - len(cells))
            cells.append(self._value(cell))
        return cells

    def _value(self, cell: Element) -> str:
        kind, value = cell.get("t", "n"), cell.findtext(f"{_S}v") or ""
        if kind == "inlineStr":
            inline = cell.find(f"{_S}is")
            return _text(inline) if inline is not None else ""
        if not value:
            formula = cell.findtext(f"{_S}f")
            return f"={formula}" if formula else ""
        if kind == "s":
            index = _number(value, -1)
            return self._texts[index] if 0 <= index < len(self._texts) else ""
        if kind == "n":
            return shown_number(value, self._format(cell.get("s")), is_1904=self._is_1904)
        return _BOOLEANS.get(value, value) if kind == "b" else value

    def _format(self, style: str | None) -> str:
        index = _number(style, -1)
        return self._formats[index] if 0 <= index < len(self._formats) else GENERAL

    def _comments(self, path: str) -> list[str]:
        paths = [it for kind, it in self._package.relations(path).values() if kind == "comments"]
        roots = [root for root in map(self._package.xml, paths) if root is not None]
        found = [
            f"- {comment.get('ref', '')}: {' '.join(_text(comment).split())}"
            for root in roots
            for comment in root.iter(f"{_S}comment")
        ]
        return ["", "Comments:", *found] if found else []


def _text(element: Element) -> str:
    """Return the text of a cell or comment, without its pronunciation."""
    spoken = {id(text) for it in element.iter(f"{_S}rPh") for text in it.iter()}
    return "".join(t.text or "" for t in element.iter(f"{_S}t") if id(t) not in spoken)


def _formats(styles: Element) -> list[str]:
    """Return the code of each cell style's number format."""
    own = {
        _number(it.get("numFmtId"), -1): it.get("formatCode", GENERAL)
        for it in styles.iter(f"{_S}numFmt")
    }
    cells = styles.find(f"{_S}cellXfs")
    numbers = [_number(it.get("numFmtId"), 0) for it in (cells if cells is not None else ())]
    return [own.get(number) or BUILT_IN_FORMATS.get(number, GENERAL) for number in numbers]


def _fill_down(rows: list[list[str]], places: dict[int, int], area: str) -> None:
    """Repeat the short text of a merged area in its first column, as each row needs it."""
    found = _RANGE.fullmatch(area)
    first = int(found[2]) if found else 0
    if found is None or first not in places:
        return
    column, cells = _column(found[1]), rows[places[first]]
    text = cells[column] if column < len(cells) else ""
    if not text or len(text) > _SHORT_CELL_CHARS:
        return
    for number in range(first + 1, min(int(found[4]), max(places)) + 1):
        row = rows[places[number]] if number in places else []
        row += [""] * (column + 1 - len(row))
        row[column] = row[column] or text


def _column(letters: str) -> int:
    index = 0
    for letter in letters:
        index = 26 * index + ord(letter) - ord("A") + 1
    return index - 1


def _number(value: str | None, default: int) -> int:
    return int(value) if value and value.isdecimal() else default
