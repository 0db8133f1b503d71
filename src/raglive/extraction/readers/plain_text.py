"""Plain text, Markdown, JSON, calendars and contacts."""

from __future__ import annotations

import json
import re
from contextlib import suppress

from raglive.extraction.model import ReaderOutput
from raglive.extraction.text_encoding import decode

__all__ = ["read_calendar", "read_json", "read_markdown", "read_text"]

# The encoding comment of Python, Emacs and Vim, in one of the first two lines.
_CODING = re.compile(rb"\A(?:[^\n]*\n)?[ \t\f]*[^\w\s][^\n]*?coding[:=][ \t]*([-\w.]+)")
_JSON_ESCAPES = re.compile(r"((?:\\u[0-9a-fA-F]{4})+)|\\(.)")
_JSON_CHARACTERS = {"n": "\n", "r": "", "t": "\t", "/": "/"}
_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*$", re.M | re.S)
_FRONT_TITLE = re.compile(r"^title:[ \t]*(['\"]?)(.+?)\1[ \t]*\r?$", re.M)
_CODE_OR_HEADING = re.compile(r"^ {0,3}(`{3,}|~{3,})|^# (.+)$", re.M)
_DELIMITER_ROW = re.compile(r"[|:\- \t]+")
_CELL_BORDER = re.compile(r"(?<!\\)\|")
_LONG_TABLE_CHARS = 800  # a longer one is split into chunks
_FOLD = re.compile(r"\r?\n[ \t]")
_CALENDAR_ESCAPE = re.compile(r"\\([\\;,nN])")
_BINARY_PROPERTY = re.compile(r"(?im)^[^:\n]*;ENCODING=(?:b|base64)\b[^:\n]*:.*$\n?")
_LONG_LINE_CHARS = 2_000


def read_text(data: bytes, _name: str) -> ReaderOutput:
    """Read plain text, in the encoding of its encoding comment if it has one."""
    declared = _CODING.search(data[:400])
    return ReaderOutput([decode(data, declared[1].decode("ascii") if declared else None)])


def read_markdown(data: bytes, _name: str) -> ReaderOutput:
    """Read Markdown. Rows of long tables name their columns, as each chunk needs them.

    The title is that of the front matter, or else the first heading outside of code.
    """
    text = decode(data).replace("\r\n", "\n")
    front = _FRONT_MATTER.match(text)
    stated = _FRONT_TITLE.search(front[1]) if front else None
    title = stated[2] if stated else _first_heading(text[front.end() if front else 0 :])
    return ReaderOutput([_with_column_names(text)], title=title, is_markdown=True)


def _first_heading(text: str) -> str | None:
    fence = ""
    for found in _CODE_OR_HEADING.finditer(text):
        mark, heading = found.groups()
        if heading and not fence:
            return heading
        if mark and not fence:
            fence = mark
        elif mark and mark.startswith(fence):
            fence = ""
    return None


def _with_column_names(text: str) -> str:
    if "|" not in text:
        return text
    lines, shown, position = text.split("\n"), [], 0
    while position < len(lines):
        end = _end_of_table(lines, position)
        shown += _rows(lines[position:end]) if end > position + 1 else [lines[position]]
        position = end
    return "\n".join(shown)


def _end_of_table(lines: list[str], start: int) -> int:
    """Return the end of the table that begins at a line, or the next line without one."""
    delimiters = lines[start + 1] if start + 1 < len(lines) else ""
    is_table = "|" in lines[start] and "-" in delimiters and "|" in delimiters
    if not is_table or not _DELIMITER_ROW.fullmatch(delimiters):
        return start + 1
    return next((i for i in range(start + 2, len(lines)) if "|" not in lines[i]), len(lines))


def _rows(table: list[str]) -> list[str]:
    """Return the rows of a long table with the names of the columns, a short one unchanged."""
    names = _cells(table[0])
    is_long = sum(map(len, table)) > _LONG_TABLE_CHARS
    if not is_long or len(_cells(table[1])) != len(names):
        return table
    rows = (zip(names, _cells(row), strict=False) for row in table[2:])
    return ["; ".join(f"{n}: {cell}" if n else cell for n, cell in row if cell) for row in rows]


def _cells(row: str) -> list[str]:
    inner = row.strip().removeprefix("|").removesuffix("|")
    return [cell.strip().replace("\\|", "|") for cell in _CELL_BORDER.split(inner)]


def read_calendar(data: bytes, _name: str) -> ReaderOutput:
    """Read an iCalendar or vCard file with its lines unfolded, without pictures and keys."""
    text = _BINARY_PROPERTY.sub("", _FOLD.sub("", decode(data)))
    return ReaderOutput([_CALENDAR_ESCAPE.sub(_calendar_character, text)])


def _calendar_character(found: re.Match[str]) -> str:
    return "\n" if found[1] in "nN" else found[1]


def read_json(data: bytes, _name: str) -> ReaderOutput:
    """Read JSON with unescaped letters and white space, and with line breaks if it has none."""
    text = decode(data)
    if max(map(len, text.splitlines()), default=0) > _LONG_LINE_CHARS:
        with suppress(ValueError, RecursionError):
            text = json.dumps(json.loads(text), ensure_ascii=False, indent=1)
    return ReaderOutput([_JSON_ESCAPES.sub(_unescaped, text) if "\\" in text else text])


def _unescaped(found: re.Match[str]) -> str:
    if found[2]:
        return _JSON_CHARACTERS.get(found[2], found[0])
    letters: str = json.loads(f'"{found[1]}"')
    return found[0] if min(letters) < "\xa0" else letters
