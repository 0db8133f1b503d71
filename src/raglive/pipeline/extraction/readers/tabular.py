"""Rows: delimited files and the sheets of workbooks."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from raglive.pipeline.extraction.encoding import decode
from raglive.pipeline.extraction.model import Draft, Table
from raglive.pipeline.extraction.readers.native import convert
from raglive.pipeline.extraction.text import normalise, one_line

__all__ = ["delimited_reader", "read_delimited", "workbook_reader"]

_MAX_TABLE_ROWS = 10_000
_MAX_TABLE_COLUMNS = 1_000
_MAX_FIELD_CHARS = 2**31 - 1
_NUMBER = re.compile(r"[\s$€£¥%+-]*\d[\d\s.,:/%-]*")


def delimited_reader(delimiter: str | None) -> Any:
    """Return a reader of comma or tab separated values; None: find out."""

    def read(data: bytes, name: str) -> Draft:
        return read_delimited(decode(data), name, delimiter)

    return read


def read_delimited(text: str, name: str, delimiter: str | None = None) -> Draft:
    """Read rows from `text`; quoting that is broken is taken as it stands."""
    csv.field_size_limit(_MAX_FIELD_CHARS)
    lines = text.replace("\0", "").splitlines(keepends=True)
    separator = delimiter or _delimiter_of(lines)
    rows = [row for row in csv.reader(lines, delimiter=separator, strict=False) if any(row)]
    table, shown = _table(name, rows)
    return Draft(["\n".join(shown)], tables=(table,) if table else ())


def workbook_reader(mime_type: str) -> Any:
    """Return a reader of Excel's and LibreOffice's workbooks."""

    def read(data: bytes, _name: str) -> Draft:
        result = convert(data, mime_type)
        names = result.metadata.get("sheet_names") or []
        tables: list[Table] = []
        parts: list[str] = []
        for found in result.tables:
            sheet = _sheet_name(names, found.page_number)
            table, shown = _table(sheet, [row for row in found.cells if any(row)])
            tables += [table] if table else []
            parts.append("\n".join([f"## {sheet}", "", *shown]))
        return Draft(
            parts or [result.content],
            tables=tuple(tables),
            title=result.metadata.get("title"),
            is_markdown=True,
        )

    return read


def _sheet_name(names: Sequence[str], number: int) -> str:
    return names[number - 1] if 0 < number <= len(names) else f"Sheet {number}"


def _table(name: str, rows: list[list[str]]) -> tuple[Table | None, Iterator[str]]:
    """Return the table that `rows` are, and each row as text that names its columns."""
    if not rows:
        return None, iter(())
    has_header = _is_header(rows[0]) and len(rows) > 1
    width = max(map(len, rows))
    columns = _columns(rows[0] if has_header else [], width)
    body = rows[1:] if has_header else rows
    shown = (_shown(cells, columns if has_header else None) for cells in body)
    if width > _MAX_TABLE_COLUMNS:
        return None, shown
    kept = tuple(_row(cells, width) for cells in islice(body, _MAX_TABLE_ROWS))
    return Table(name, columns, kept, len(body)), shown


def _is_header(row: Sequence[str]) -> bool:
    filled = [cell.strip() for cell in row if cell.strip()]
    distinct = len(set(filled)) == len(filled)
    return len(filled) > 1 and distinct and not any(_NUMBER.fullmatch(cell) for cell in filled)


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
    """The separator that cuts the first lines into most pieces, and the same number each."""
    sample = list(islice((line for line in lines if line.strip()), 20))

    def quality(separator: str) -> tuple[float, int]:
        counts = [len(row) for row in csv.reader(sample, delimiter=separator)]
        alike = sum(count == counts[0] for count in counts) / len(counts)
        return (alike, counts[0]) if counts[0] > 1 else (0.0, 0)

    return max(",;\t|", key=quality) if sample else ","
