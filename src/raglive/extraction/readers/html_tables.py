"""Tables of web pages as lines of text, with every cell in its place."""

from __future__ import annotations

import re

__all__ = ["HtmlTable", "tidy"]

_SPACES = re.compile(r"[ \t\r\n\f\xa0]+")
_BREAKS = re.compile(r" *\n *")
_BLANK_LINES = re.compile(r"\n{3,}")
_EMPTY_MARKS = re.compile(r"(?m)^(?:#{1,6}|-)(?: (?=#{1,6} |- )|$)")
_LIST_MARKS = re.compile(r"\n- |^- ")
_SHORT_CELL_CHARS = 160
_MAX_SPAN = 100
_MAX_COLUMNS = 200
_CURRENCY = frozenset("$€£¥")
_CLOSINGS = frozenset((")", "%", ")%"))


class HtmlTable:
    """A table that is being read: its rows, and the cell that is open."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = []
        self.row: list[str] = []
        self.cell: list[str] | None = None
        self._spans = (1, 1)
        self._is_header = False
        self._cells_in_row = 0
        self._below: dict[int, tuple[int, str]] = {}  # column: rows left to fill, and with what

    def start_cell(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a cell, after those that cells above span."""
        self.end_cell()
        self._fill_from_above()
        values = dict(attrs)
        self._spans = _span(values.get("rowspan")), _span(values.get("colspan"))
        self._is_header = tag == "th"
        self.cell = []

    def end_cell(self) -> None:
        """Add the open cell to its row, if there is one."""
        if self.cell is None:
            return
        text, (rows, columns) = tidy(self.cell), self._spans
        columns = max(1, min(columns, _MAX_COLUMNS - len(self.row)))
        is_short = len(text) <= _SHORT_CELL_CHARS
        text = _flat(text) if is_short else text
        repeated = text if is_short and self._is_header else ""
        for column, content in enumerate([text, *[repeated] * (columns - 1)], len(self.row)):
            if rows > 1:
                self._below[column] = (rows - 1, content if is_short else "")
        self.row += [text, *[repeated] * (columns - 1)]
        self._cells_in_row += 1
        self.cell = None

    def end_row(self) -> None:
        """Add the open row to the table, if there is one."""
        self.end_cell()
        if self._cells_in_row == 1:  # a title above the columns
            self.row = [cell for i, cell in enumerate(self.row) if i == 0 or cell != self.row[0]]
        self._cells_in_row = 0
        if self.row:
            self._fill_from_above()
            while self.row and not self.row[-1]:
                self.row.pop()
            self.rows.append(self.row)
            self.row = []

    def _fill_from_above(self) -> None:
        while len(self.row) in self._below:
            column = len(self.row)
            left, content = self._below.pop(column)
            if left > 1:
                self._below[column] = (left - 1, content)
            self.row.append(content)

    def lines(self) -> list[str]:
        """Return the rows as text, with empty cells in their places unless most are empty."""
        rows = _joined_headings([_joined_amounts(row) for row in self.rows])
        used = {i for row in rows for i, cell in enumerate(row) if cell}
        kept = [[cell for i, cell in enumerate(row) if i in used] for row in rows]
        filled = sum(1 for row in kept for cell in row if cell)
        is_layout = 2 * filled < len(used) * sum(map(any, kept))
        shown = ([cell for cell in row if cell] if is_layout else row for row in kept if any(row))
        return list(map(_row_as_text, shown))


def _joined_headings(rows: list[list[str]]) -> list[list[str]]:
    """Join a column of only headings with the next one, which has only values below them."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            if cell:
                first.setdefault(column, number)
                last[column] = number
    for column in sorted(first):
        if column in last and last[column] < first.get(column + 1, -1):
            for row in rows[: last[column] + 1]:
                if column < len(row) and row[column]:
                    row.extend([""] * (column + 2 - len(row)))
                    row[column : column + 2] = ["", row[column]]
            first[column + 1] = first[column]
    return rows


def _span(value: str | None) -> int:
    return min(int(value), _MAX_SPAN) if value and value.isdecimal() and int(value) > 0 else 1


def _joined_amounts(row: list[str]) -> list[str]:
    """Join signs and closing brackets in cells of their own with the amounts next to them."""
    joined = list(row)
    for i, cell in enumerate(row[:-1]):
        if cell in _CURRENCY and row[i + 1]:
            joined[i : i + 2] = ["", cell + row[i + 1]]
        if row[i + 1] in _CLOSINGS and joined[i]:
            joined[i : i + 2] = [joined[i] + row[i + 1], ""]
    return joined


def _row_as_text(row: list[str]) -> str:
    if any("\n" in cell for cell in row):
        return "\n\n".join(filter(None, row))
    return " | ".join(row).rstrip(" |")


def _flat(cell: str) -> str:
    return _SPACES.sub(" ", _LIST_MARKS.sub(", ", cell).removeprefix(", "))


def tidy(pieces: list[str]) -> str:
    """Join pieces of text, without superfluous white space and empty headings."""
    text = re.sub(r" {2,}", " ", "".join(pieces))
    text = _EMPTY_MARKS.sub("", _BREAKS.sub("\n", text))
    return _BLANK_LINES.sub("\n\n", text).strip()
