"""Tables: delimited files (CSV, TSV) and the sheets of workbooks."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, zip_longest
from typing import Any, Literal

from raglive.extraction.model import ReaderOutput, Table
from raglive.extraction.readers.kreuzberg_adapter import convert
from raglive.extraction.readers.password_protection import refuse_protected
from raglive.extraction.text_encoding import decode
from raglive.extraction.text_normalisation import normalise, one_line

__all__ = ["delimited_reader", "read_delimited", "workbook_reader"]

MAX_TABLE_ROWS = 10_000
MAX_TABLE_COLUMNS = 1_000
_MAX_FIELD_CHARS = 2**31 - 1
_MAX_TITLE_LINES = 6
_DECLARED_SEPARATOR = re.compile(r"sep=(.)", re.I)  # a first line for Excel
_YEAR = re.compile(r"(?:19|20)\d\d")
_MOMENT = re.compile(r"(?!1899)(\d{4}-\d\d-\d\d) 00:00:00|1899-12-3[01] (\d\d:\d\d:\d\d)")
_DURATION = re.compile(r"DURATION: PT(\d+)H(\d+)M(\d+)(?:[.,]\d+)?S")
_ERRORS = {
    "#ERR: Div0": "#DIV/0!",
    "#ERR: NA": "#N/A",
    "#ERR: Name": "#NAME?",
    "#ERR: Null": "#NULL!",
    "#ERR: Num": "#NUM!",
    "#ERR: Ref": "#REF!",
    "#ERR: Value": "#VALUE!",
}
_NUMBER = re.compile(r"[\s$€£¥%+-]*\d[\d\s.,:/%-]*")


def delimited_reader(delimiter: str | None) -> Any:
    """Return a reader of delimited files; with None it detects the delimiter."""

    def read(data: bytes, name: str) -> ReaderOutput:
        return read_delimited(decode(data), name, delimiter)

    return read


def read_delimited(text: str, name: str, delimiter: str | None = None) -> ReaderOutput:
    """Read rows from `text`; if a quote is never closed, quotes are read as plain characters."""
    csv.field_size_limit(_MAX_FIELD_CHARS)
    lines = text.replace("\0", "").splitlines(keepends=True)
    declared = _DECLARED_SEPARATOR.fullmatch(lines[0].strip("\r\n")) if lines else None
    if declared:
        delimiter, lines = declared[1], lines[1:]
    separator = delimiter or _delimiter_of(lines)
    rows = [row for row in _rows(lines, separator) if any(row)]
    if rows and rows[-1][-1].endswith("\n") and not lines[-1].rstrip().endswith('"'):
        # A quote was never closed, so that the rest of the text became one cell.
        rows = [row for row in _rows(lines, separator, csv.QUOTE_NONE) if any(row)]
    table, shown = _table(name, rows)
    return ReaderOutput(["\n".join(shown)], tables=(table,) if table else ())


def _rows(
    lines: Iterable[str], separator: str, quoting: Literal[0, 3] = csv.QUOTE_MINIMAL
) -> Iterator[list[str]]:
    return csv.reader(
        lines, delimiter=separator, skipinitialspace=True, strict=False, quoting=quoting
    )


def workbook_reader(mime_type: str) -> Any:
    """Return a reader of Excel and OpenDocument workbooks."""

    def read(data: bytes, _name: str) -> ReaderOutput:
        refuse_protected(data)
        result = convert(data, mime_type)
        names = result.metadata.get("sheet_names") or []
        tables: list[Table] = []
        parts: list[str] = []
        for found in result.tables:
            sheet = _sheet_name(names, found.page_number)
            table, shown = _table(sheet, [list(map(_tidy, row)) for row in found.cells if any(row)])
            tables += [table] if table else []
            parts.append("\n".join([f"## {sheet}", "", *shown]))
        return ReaderOutput(
            parts or [result.content],
            tables=tuple(tables),
            title=result.metadata.get("title"),
            is_markdown=True,
        )

    return read


def _sheet_name(names: Sequence[str], number: int) -> str:
    return names[number - 1] if 0 < number <= len(names) else f"Sheet {number}"


def _tidy(cell: str) -> str:
    """Restore dates, times without a date, and errors that kreuzberg formats differently."""
    if cell.endswith(" 00:00:00") or cell.startswith("1899-12-3"):
        return _MOMENT.sub(r"\1\2", cell)
    if cell.startswith("DURATION: "):
        return _DURATION.sub(r"\1:\2:\3", cell)
    return _ERRORS.get(cell, cell) if cell.startswith("#ERR") else cell


def _table(name: str, rows: list[list[str]]) -> tuple[Table | None, Iterable[str]]:
    """Return rows as a table, and as lines of text that name the columns."""
    titles, rows = _without_titles(rows)
    if not rows:
        return None, titles
    has_header = len(rows) > 1 and _is_header(*rows[:2])
    width = max(map(len, rows))
    columns = _columns(rows[0] if has_header else [], width)
    body = rows[1:] if has_header else rows
    shown = chain(titles, (_shown(cells, columns if has_header else None) for cells in body))
    if width > MAX_TABLE_COLUMNS:
        return None, shown
    kept = tuple(_row(cells, width) for cells in islice(body, MAX_TABLE_ROWS))
    return Table(name, columns, kept, len(body)), shown


def _without_titles(rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Separate the title lines above a table, which fill only one cell, from its rows."""
    for i, row in enumerate(rows[:_MAX_TITLE_LINES]):
        if len(list(filter(str.strip, row))) > 1:
            return [_shown(title, None) for title in rows[:i]], rows[i:]
    return [], rows


def _is_header(row: Sequence[str], below: Sequence[str]) -> bool:
    """Recognise column names: distinct, and not numbers except for years above other values."""
    filled = [
        (cell.strip(), under.strip())
        for cell, under in zip_longest(row, below[: len(row)], fillvalue="")
        if cell.strip()
    ]
    names = {cell for cell, _ in filled}
    numbers = [pair for pair in filled if _NUMBER.fullmatch(pair[0])]
    are_years = all(_YEAR.fullmatch(top) and not _YEAR.fullmatch(under) for top, under in numbers)
    return 1 < len(names) == len(filled) > len(numbers) and are_years


def _columns(header: Sequence[str], width: int) -> tuple[str, ...]:
    padded = [*header, *[""] * (width - len(header))]
    return tuple(one_line(cell, 200) or f"column {i + 1}" for i, cell in enumerate(padded))


def _row(cells: Sequence[str], width: int) -> tuple[str, ...]:
    return tuple(normalise(cell) for cell in [*cells, *[""] * (width - len(cells))])


def _shown(cells: Iterable[str], columns: Sequence[str] | None) -> str:
    flat = [" ".join(cell.split()) for cell in cells]
    if columns is None:
        return " | ".join(cell for cell in flat if cell)
    return "; ".join(f"{name}: {cell}" for name, cell in zip(columns, flat, strict=False) if cell)


def _delimiter_of(lines: Sequence[str]) -> str:
    """Return the separator that splits most of the first lines into equally many cells."""
    sample = list(islice((line for line in lines if line.strip()), 20))

    def quality(separator: str) -> tuple[float, int]:
        counts = Counter(len(row) for row in _rows(sample, separator))
        count, alike = max(counts.items(), key=lambda found: (found[1], found[0]))
        return (alike / counts.total(), count) if count > 1 else (0.0, 0)

    return max(",;\t|", key=quality) if sample else ","
