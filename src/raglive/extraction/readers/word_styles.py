"""Styles and automatic numbers of Word documents."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

__all__ = ["Numbering", "Styles", "W", "is_on", "value_of"]

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_LEVELS = 9
_NO_NUMBER = "0"
_PLACE = re.compile(r"%([1-9])")
_ROMAN = tuple(
    zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("m", "cm", "d", "cd", "c", "xc", "l", "xl", "x", "ix", "v", "iv", "i"),
        strict=True,
    )
)


def value_of(parent: Element | None, path: str) -> str | None:
    """Return the value of a descendant such as `pPr/numPr/numId`, None without one."""
    found = (
        parent.find("/".join(W + name for name in path.split("/"))) if parent is not None else None
    )
    return None if found is None else found.get(f"{W}val", "")


def is_on(properties: Element | None, name: str) -> bool:
    """Check for a property that is switched on, as `<w:vanish/>`."""
    value = value_of(properties, name)
    return value is not None and value not in {"0", "false", "off"}


@dataclass(slots=True)
class Style:
    """What a style says, or the styles that it is based on. A heading's level counts from 1."""

    heading: int | None = None
    number: str | None = None
    level: str | None = None
    is_hidden: bool = False


class Styles:
    """The styles of a document."""

    def __init__(self, root: Element | None) -> None:
        self._elements = {
            style.get(f"{W}styleId", ""): style for style in (root if root is not None else ())
        }
        self._known: dict[str, Style] = {}

    def get(self, name: str | None) -> Style:
        """Return a style, an empty one if the document has none of this name."""
        if name is None or name not in self._elements:
            return Style()
        if name not in self._known:
            self._known[name] = Style()  # ends the recursion if styles are based on each other
            self._known[name] = self._read(self._elements[name])
        return self._known[name]

    def _read(self, element: Element) -> Style:
        base = self.get(value_of(element, "basedOn"))
        label = (value_of(element, "name") or "").lower()
        outline = value_of(element, "pPr/outlineLvl")
        return Style(
            1 if label == "title" else _heading(outline) or base.heading,
            value_of(element, "pPr/numPr/numId") or base.number,
            value_of(element, "pPr/numPr/ilvl") or base.level,
            is_on(element.find(f"{W}rPr"), "vanish") or base.is_hidden,
        )

    def heading_of(self, properties: Element | None) -> int | None:
        """Return the level of the heading that a paragraph with these properties is."""
        own = _heading(value_of(properties, "outlineLvl"))
        return own or self.get(value_of(properties, "pStyle")).heading


def _heading(outline: str | None) -> int | None:
    level = int(outline) + 1 if outline and outline.isdecimal() else _LEVELS + 1
    return min(level, 6) if level <= _LEVELS else None


@dataclass(slots=True)
class _Level:
    start: int
    form: str
    text: str
    is_decimal: bool


@dataclass(slots=True)
class _List:
    """The levels of a list, and its counters, which lists of the same definition share."""

    levels: dict[int, _Level]
    counters: dict[int, int]
    restarts: dict[int, int] = field(default_factory=dict)


class Numbering:
    """Counts the paragraphs of a document's lists, in their order."""

    def __init__(self, root: Element | None, styles: Styles) -> None:
        self._root = root
        self._styles = styles
        self._counters: dict[str, dict[int, int]] = {}
        self._lists: dict[str, _List | None] = {}

    def mark(self, properties: Element | None) -> str:
        """Return the number or bullet of the next paragraph with these properties, or ""."""
        style = self._styles.get(value_of(properties, "pStyle"))
        number = value_of(properties, "numPr/numId") or style.number
        if self._root is None or not number or number == _NO_NUMBER:
            return ""
        if number not in self._lists:
            self._lists[number] = self._read(number)
        shown = value_of(properties, "numPr/ilvl") or style.level or "0"
        found = self._lists[number]
        return _next(found, int(shown)) if found and shown.isdecimal() else ""

    def _read(self, number: str) -> _List | None:
        instance = _with_id(self._root, "num", "numId", number)
        abstract = self._abstract(value_of(instance, "abstractNumId"))
        if instance is None or abstract is None:
            return None
        levels = {_index(it): _level(it) for it in abstract.iter(f"{W}lvl")}
        restarts: dict[int, int] = {}
        for override in instance.iter(f"{W}lvlOverride"):
            levels |= {_index(it): _level(it) for it in override.iter(f"{W}lvl")}
            start = value_of(override, "startOverride")
            if start and start.isdecimal():
                restarts[_index(override)] = int(start)
        identity = abstract.get(f"{W}abstractNumId", "")
        return _List(levels, self._counters.setdefault(identity, {}), restarts)

    def _abstract(self, identity: str | None) -> Element | None:
        """Return the definition of a list, which may be that of a style."""
        found = _with_id(self._root, "abstractNum", "abstractNumId", identity)
        linked = self._styles.get(value_of(found, "numStyleLink")).number
        if linked is None:
            return found
        instance = _with_id(self._root, "num", "numId", linked)
        return _with_id(
            self._root, "abstractNum", "abstractNumId", value_of(instance, "abstractNumId")
        )


def _with_id(root: Element | None, tag: str, key: str, wanted: str | None) -> Element | None:
    elements: Iterable[Element] = root.iter(W + tag) if root is not None else ()
    return next((it for it in elements if it.get(W + key) == wanted), None)


def _index(element: Element) -> int:
    stated = element.get(f"{W}ilvl", "0")
    return int(stated) if stated.isdecimal() else 0


def _level(element: Element) -> _Level:
    start = value_of(element, "start") or "1"
    return _Level(
        int(start) if start.isdecimal() else 1,
        value_of(element, "numFmt") or "decimal",
        value_of(element, "lvlText") or "",
        is_on(element, "isLgl"),
    )


def _next(found: _List, index: int) -> str:
    level = found.levels.get(index)
    if level is None:
        return ""
    if level.form == "bullet":
        return "-"
    counters = found.counters
    if index in found.restarts:  # once, at the first paragraph of this list
        counters[index] = found.restarts.pop(index)
    else:
        counters[index] = counters.get(index, level.start - 1) + 1
    for deeper in [it for it in counters if it > index]:
        del counters[deeper]

    def place(match: re.Match[str]) -> str:
        at = int(match[1]) - 1
        shown = found.levels.get(at, level)
        return _formatted(
            counters.setdefault(at, shown.start), "decimal" if level.is_decimal else shown.form
        )

    return _PLACE.sub(place, level.text).strip()


def _formatted(count: int, form: str) -> str:
    if form in {"lowerLetter", "upperLetter"} and count > 0:
        repeated, letter = divmod(count - 1, 26)
        text = chr(ord("a") + letter) * (min(repeated, 9) + 1)
    elif form in {"lowerRoman", "upperRoman"} and 0 < count < 5_000:
        text = _roman(count)
    else:
        text = {"none": "", "decimalZero": f"{count:02}"}.get(form, str(count))
    return text.upper() if form.startswith("upper") else text


def _roman(count: int) -> str:
    text = ""
    for value, letters in _ROMAN:
        times, count = divmod(count, value)
        text += letters * times
    return text
