"""Tables: delimited files (CSV, TSV) and the sheets of workbooks."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, islice, zip_longest
from typing import Any, Literal

from raglive.extraction.model import ReaderOutput, Table
from raglive.extraction.readers.kreuzberg_adapter import convert
from raglive.extraction.readers.password_protection import refuse_protected
from raglive.extraction.text_encoding import decode
from raglive.extraction.text_normalisation import normalise, one_line

__all__ = [
    "MAX_TABLE_COLUMNS",
    "delimited_reader",
    "read_delimited",
    "tables_of",
    "workbook_reader",
]

MAX_TABLE_ROWS = 10_000
MAX_TABLE_COLUMNS = 1_000
_MAX_FIELD_CHARS = 2**31 - 1
_MAX_TITLE_LINES = 30
_SAMPLE_ROWS = 200
_MAX_TABLES = 100  # of a sheet
_TITLE_SHARE = 0.7  # a row of fewer cells than this share of the table's width is a title
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
    rows = list(_rows(lines, separator))
    while rows and not any(rows[-1]):
        rows.pop()
    if rows and rows[-1][-1].endswith("\n") and not lines[-1].rstrip().endswith('"'):
        # A quote was never closed, so that the rest of the text became one cell.
        rows = list(_rows(lines, separator, csv.QUOTE_NONE))
    tables, shown = tables_of(name, rows)
    return ReaderOutput(["\n".join(shown)], tables=tables)


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
            of_sheet, shown = tables_of(sheet, [list(map(_tidy, row)) for row in found.cells])
            tables += of_sheet
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


def tables_of(name: str, rows: Sequence[list[str]]) -> tuple[tuple[Table, ...], list[str]]:
    """Return the tables in these rows, and lines of text that name the columns."""
    blocks = _blocks(rows)
    found = [_table(name, block) for block in blocks]
    is_preamble = len(blocks) > 1 and not (len(blocks[0]) > 1 and _is_header(*blocks[0][:2]))
    tables = tuple(table for table, _ in found[is_preamble:] if table)
    return tables, [line for _, shown in found for line in shown]


def _blocks(rows: Iterable[list[str]]) -> list[list[list[str]]]:
    """Divide rows at blank ones where another table begins, with a header of its own."""
    blocks: list[list[list[str]]] = []
    for is_blank, group in groupby(rows, key=lambda row: not any(map(str.strip, row))):
        if is_blank:
            continue
        block = list(group)
        if blocks and (len(blocks) == _MAX_TABLES or not _has_numbers_below(block)):
            blocks[-1] += block
        else:
            blocks.append(block)
    return blocks


def _has_numbers_below(block: list[list[str]]) -> bool:
    """Check for a header above numbers; two rows of words may both be values."""
    return len(block) > 1 and _is_header(*block[:2]) and any(map(_NUMBER.fullmatch, block[1]))


def _table(name: str, rows: list[list[str]]) -> tuple[Table | None, Iterable[str]]:
    """Return rows as a table, and as lines of text that name the columns."""
    titles, rows = _without_titles(rows)
    if not rows:
        return None, titles
    rows = _one_header(rows)
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
    """Separate the lines above a table, which have fewer cells, from its rows."""
    widths = Counter(_width(row) for row in rows[:_SAMPLE_ROWS])
    usual = max(widths, key=lambda width: (widths[width], width), default=0)
    for i, row in enumerate(rows[:_MAX_TITLE_LINES]):
        if _width(row) > max(1, _TITLE_SHARE * usual):
            return [_shown(title, None) for title in rows[:i]], rows[i:]
    return [], rows


def _width(row: Sequence[str]) -> int:
    """Return the number of cells up to the last one that is not empty."""
    return max((i for i, cell in enumerate(row, 1) if cell.strip()), default=0)


def _one_header(rows: list[list[str]]) -> list[list[str]]:
    """Join a header of two rows, of which the upper names groups of columns."""
    if len(rows) < 3:
        return rows
    upper, lower = rows[0], [cell.strip() for cell in rows[1]]
    gaps = [i for i, cell in enumerate(lower) if not "".join(upper[i : i + 1]).strip()]
    are_names = not any(map(_NUMBER.fullmatch, lower)) and any(map(_NUMBER.fullmatch, rows[2]))
    if not (gaps and gaps[0] and are_names and all(lower[i] for i in gaps)):
        return rows
    group, names = "", []
    for top, name in zip_longest(upper, lower, fillvalue=""):
        group = top.strip() or group
        names.append(name if name == group else f"{group} {name}".strip())
    return [names, *rows[2:]]


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
    are_labels = any(cell.endswith(":") for cell in names)  # of values to their right
    return 1 < len(names) == len(filled) > len(numbers) and are_years and not are_labels


def _columns(header: Sequence[str], width: int) -> tuple[str, ...]:
    padded = [*header, *[""] * (width - len(header))]
    return tuple(one_line(cell, 200) or f"column {i + 1}" for i, cell in enumerate(padded))


def _row(cells: Sequence[str], width: int) -> tuple[str, ...]:
    return tuple(normalise(cell) for cell in [*cells, *[""] * (width - len(cells))])


def _shown(cells: Iterable[str], columns: Sequence[str] | None) -> str:
    flat = [" ".join(cell.split()) for cell in cells]
    if columns is None:
        return re.sub(" {2,}", " ", " | ".join(flat[: _width(flat)]))
    return "; ".join(f"{name}: {cell}" for name, cell in zip(columns, flat, strict=False) if cell)


def _delimiter_of(lines: Sequence[str]) -> str:
    """Return the separator that splits most of the first lines into equally many cells.

    Semicolons and tabs are rare in text, so they win against decimal commas.
    """
    sample = list(islice((line for line in lines if line.strip()), 20))

    def quality(separator: str) -> tuple[float, bool, int]:
        counts = Counter(len(row) for row in _rows(sample, separator))
        count, alike = max(counts.items(), key=lambda found: (found[1], found[0]))
        share = alike / counts.total() if count > 1 else 0.0
        return share, separator in ";\t", count

    return max(",;\t|", key=quality) if sample else ","
