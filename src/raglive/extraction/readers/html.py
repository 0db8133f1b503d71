"""Converts HTML to Markdown: keeps headings, lists and tables, drops navigation and scripts."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from raglive.extraction.model import ReaderOutput
from raglive.extraction.readers.html_tables import HtmlTable, tidy
from raglive.extraction.text_encoding import decode

__all__ = ["declared_charset", "html_to_text", "read_html"]


def _tags(names: str) -> frozenset[str]:
    return frozenset(names.split())


_INVISIBLE = _tags("script style noscript template svg canvas object iframe audio video")
_NAVIGATION = _tags("nav button select datalist dialog menu")
_CONTAINERS = _tags("div section aside span ul ol table form header footer ix:header")
_VOID = _tags("area base br col embed hr img input link meta source track wbr")
_BLOCKS = _tags(
    "address article aside blockquote body center dd details div dl dt fieldset figcaption figure "
    "footer form header hgroup legend main ol p section summary ul"
)
_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
_NAVIGATION_ROLES = frozenset({"navigation", "menu", "menubar", "toolbar", "search"})
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)
_CHARSET = re.compile(
    rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml[^>]+encoding\s*=\s*["']([\w.:-]+)""",
    re.I,
)

_SPACES = re.compile(r"[ \t\r\n\f\xa0]+")
# Placeholders for white space that must not be collapsed.
_KEPT_SPACE, _KEPT_NEWLINE, _KEPT_TAB = "\ue000", "\ue001", "\ue002"
_KEEP = str.maketrans({" ": _KEPT_SPACE, "\n": _KEPT_NEWLINE, "\t": _KEPT_TAB})
_RELEASE = str.maketrans({_KEPT_SPACE: " ", _KEPT_NEWLINE: "\n", _KEPT_TAB: "\t"})
_QUESTIONS = {*_HEADINGS, "dt", "summary"}  # where a button is the text of a heading


def read_html(data: bytes, _name: str) -> ReaderOutput:
    """Read a web page."""
    text, title = html_to_text(decode(data, declared_charset(data)))
    return ReaderOutput([text], title=title, is_markdown=True)


def declared_charset(data: bytes) -> str | None:
    """Return the encoding that a page declares, None without a declaration."""
    declared = _CHARSET.search(data[:4096])
    return (declared[1] or declared[2]).decode("ascii") if declared else None


def html_to_text(markup: str) -> tuple[str, str | None]:
    """Return text and title of `markup`."""
    page = _Page(drop_navigation=True)
    page.feed(markup)
    page.close()
    if page.is_skipping or not page.text():  # an unclosed <nav> must not hide the page
        page = _Page(drop_navigation=False)
        page.feed(markup)
        page.close()
    return page.text(), page.title


class _Page(HTMLParser):
    def __init__(self, *, drop_navigation: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.title: str | None = None
        self._navigation = _NAVIGATION if drop_navigation else frozenset()
        self._hides = drop_navigation
        self._pieces: list[str] = []
        self._tables: list[HtmlTable] = []
        self._question_depth = 0
        self._skipped_tag: str | None = None
        self._skipped_depth = 0
        self._title_pieces: list[str] | None = None
        self._pre_depth = 0

    @property
    def is_skipping(self) -> bool:
        return self._skipped_tag is not None

    def text(self) -> str:
        while self._tables:
            self._end_table()
        return tidy(self._pieces).translate(_RELEASE).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._skipped_tag is not None:
            self._skipped_depth += tag == self._skipped_tag
        elif tag not in _VOID and self._is_dropped(tag, attrs):
            self._skipped_tag, self._skipped_depth = tag, 1
        elif tag == "title" and self.title is None:
            self._title_pieces = []
        else:
            self._open(tag, attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._skipped_tag is None and tag in _VOID:
            self._open(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._skipped_tag is not None:
            self._skipped_depth -= tag == self._skipped_tag
            if not self._skipped_depth:
                self._skipped_tag = None
        elif tag == "title" and self._title_pieces is not None:
            self.title = _SPACES.sub(" ", "".join(self._title_pieces)).strip() or None
            self._title_pieces = None
        else:
            self._close(tag)

    def handle_data(self, data: str) -> None:
        if self._skipped_tag is not None:
            return
        if self._title_pieces is not None:
            self._title_pieces.append(data)
        elif self._pre_depth:
            self._add(data.translate(_KEEP))
        else:
            self._add(_SPACES.sub(" ", data))

    def _is_dropped(self, tag: str, attrs: list[tuple[str, str | None]]) -> bool:
        if tag == "button" and (self._question_depth or "aria-expanded" in dict(attrs)):
            return False
        if tag in _INVISIBLE or tag in self._navigation:
            return True
        return self._hides and tag in _CONTAINERS and any(map(_hides, attrs))

    def _open(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._break()
            self._tables.append(HtmlTable())
        elif tag == "tr":
            self._end_row()
        elif tag in {"td", "th"}:
            if self._tables:
                self._tables[-1].start_cell(tag, attrs)
        elif tag in _HEADINGS:
            self._question_depth += 1
            self._add(f"\n\n{_HEADINGS[tag]} ")
        elif tag == "img":
            self._add(next((f" {value} " for key, value in attrs if key == "alt" and value), ""))
        else:
            self._open_inline(tag)

    def _open_inline(self, tag: str) -> None:
        self._question_depth += tag in _QUESTIONS
        if tag == "li":
            self._add("\n- ")
        elif tag in {"br", "hr"}:
            self._add("\n")
        elif tag == "pre":
            self._pre_depth += 1
            self._break()
        elif tag in _BLOCKS:
            self._break()

    def _close(self, tag: str) -> None:
        self._question_depth = max(0, self._question_depth - (tag in _QUESTIONS))
        if tag == "table":
            self._end_table()
        elif tag == "tr":
            self._end_row()
        elif tag in {"td", "th"}:
            if self._tables:
                self._tables[-1].end_cell()
        elif tag == "pre":
            self._pre_depth = max(0, self._pre_depth - 1)
            self._break()
        elif tag in _BLOCKS or tag in _HEADINGS:
            self._break()

    def _add(self, piece: str) -> None:
        cell = self._tables[-1].cell if self._tables else None
        (self._pieces if cell is None else cell).append(piece)

    def _break(self) -> None:
        self._add("\n\n")

    def _end_row(self) -> None:
        if self._tables:
            self._tables[-1].end_row()

    def _end_table(self) -> None:
        if not self._tables:
            return
        self._end_row()
        table = self._tables.pop()
        for line in table.lines():
            self._add(line + "\n")
        self._break()


def _hides(attribute: tuple[str, str | None]) -> bool:
    name, value = attribute
    if name == "hidden":
        return True
    if not value:
        return False
    if name == "style":
        return _HIDDEN_STYLE.search(value) is not None
    return (name == "role" and value in _NAVIGATION_ROLES) or (name, value) == (
        "aria-hidden",
        "true",
    )
