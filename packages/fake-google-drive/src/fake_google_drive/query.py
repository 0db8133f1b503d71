"""The search language of `files.list` (`q`)."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from fake_google_drive.items import Item
from fake_google_drive.tree import Tree

__all__ = ["Query", "QueryError", "View", "parse_query"]

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<word>[A-Za-z][\w.]*)|(?P<sign><=|>=|!=|[=<>()]))"""
)
_COMPARISONS: dict[str, Callable[[object, object], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,  # type: ignore[dict-item]  # both sides are times
    "<=": operator.le,  # type: ignore[dict-item]
    ">": operator.gt,  # type: ignore[dict-item]
    ">=": operator.ge,  # type: ignore[dict-item]
}


class QueryError(ValueError):
    """The query is invalid."""


class View(NamedTuple):
    """The user for whom a query is evaluated, and the items."""

    tree: Tree
    user: str


class Query(Protocol):
    """A condition on items."""

    def matches(self, item: Item, view: View) -> bool:
        """Return whether the item meets the condition."""

    def folders(self) -> set[str] | None:
        """Return the folders that contain all matches, or `None` if they may be anywhere."""


class _Token(NamedTuple):
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class _Term:
    test: Callable[[Item, View], bool]
    folder: str | None = None

    def matches(self, item: Item, view: View) -> bool:
        return self.test(item, view)

    def folders(self) -> set[str] | None:
        return None if self.folder is None else {self.folder}


@dataclass(frozen=True, slots=True)
class _Not:
    of: Query

    def matches(self, item: Item, view: View) -> bool:
        return not self.of.matches(item, view)

    def folders(self) -> set[str] | None:
        return None


@dataclass(frozen=True, slots=True)
class _Both:
    left: Query
    right: Query

    def matches(self, item: Item, view: View) -> bool:
        return self.left.matches(item, view) and self.right.matches(item, view)

    def folders(self) -> set[str] | None:
        left, right = self.left.folders(), self.right.folders()
        return right if left is None else left


@dataclass(frozen=True, slots=True)
class _Either:
    left: Query
    right: Query

    def matches(self, item: Item, view: View) -> bool:
        return self.left.matches(item, view) or self.right.matches(item, view)

    def folders(self) -> set[str] | None:
        left, right = self.left.folders(), self.right.folders()
        return None if left is None or right is None else left | right


def parse_query(text: str) -> Query:
    """Parse a query. Raises `QueryError`. As in Drive, `and` and `or` have equal precedence."""
    tokens = list(_tokens(text))
    query, rest = _chain(tokens)
    if rest:
        raise QueryError(f"unexpected {rest[0].text}")
    return query


def _tokens(text: str) -> Iterator[_Token]:
    at, text = 0, text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise QueryError(f"unexpected {text[at:]}")
        value = found[found.lastgroup]
        if found.lastgroup == "text":
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        yield _Token(found.lastgroup, value)
        at = found.end()


def _chain(tokens: list[_Token]) -> tuple[Query, list[_Token]]:
    query, rest = _single(tokens)
    while rest and rest[0] in {("word", "and"), ("word", "or")}:
        joined = _Both if rest[0].text == "and" else _Either
        right, rest = _single(rest[1:])
        query = joined(query, right)
    return query, rest


def _single(tokens: list[_Token]) -> tuple[Query, list[_Token]]:
    match tokens:
        case [("word", "not"), *rest]:
            query, rest = _single(rest)
            return _Not(query), rest
        case [("sign", "("), *rest]:
            query, rest = _chain(rest)
            if not rest or rest[0] != ("sign", ")"):
                raise QueryError("missing )")
            return query, rest[1:]
        case [("text", value), ("word", "in"), ("word", field), *rest]:
            return _membership(value, field), rest
        case [("word", field), (_, sign), ("text" | "word", value), *rest]:
            return _Term(_comparison(field, sign, value)), rest
    raise QueryError("incomplete")


def _membership(value: str, field: str) -> Query:
    if field == "parents":
        return _Term(lambda item, view: item.parent == _folder(value, view), value)
    if field == "owners":
        return _Term(lambda item, _: item.owner == value)
    if field in {"readers", "writers"}:
        return _Term(lambda item, view: view.tree.is_visible(item, value))
    raise QueryError(f"unknown collection {field}")


def _folder(value: str, view: View) -> str:
    return view.tree.my_drives[view.user].id if value == "root" else value


def _comparison(field: str, sign: str, value: str) -> Callable[[Item, View], bool]:
    if field in {"modifiedTime", "createdTime"}:
        at, compare = _milliseconds(value), _sign(sign, _COMPARISONS)
        if field == "modifiedTime":
            return lambda item, _: compare(item.modified, at)
        return lambda item, _: compare(item.created, at)
    if field in {"trashed", "starred", "sharedWithMe"}:
        return _flag(field, (value == "true") == (_equality(sign)), value)
    return _text(field, sign, value)


def _flag(field: str, wanted: bool, value: str) -> Callable[[Item, View], bool]:
    if value not in {"true", "false"}:
        raise QueryError(f"{field} is true or false")
    if field == "trashed":
        return lambda item, view: view.tree.is_trashed(item) == wanted
    if field == "sharedWithMe":
        return lambda item, view: (view.user in item.readers) == wanted
    return lambda _item, _view: not wanted


def _text(field: str, sign: str, value: str) -> Callable[[Item, View], bool]:
    if field == "shortcutDetails.targetId":
        wanted = _equality(sign)
        return lambda item, _: (item.target_id == value) == wanted
    if field not in {"name", "mimeType"}:
        raise QueryError(f"unknown field {field}")
    if sign == "contains":
        return _prefix(field, value.lower())
    wanted = _equality(sign)
    if field == "name":
        return lambda item, _: (item.name == value) == wanted
    return lambda item, _: (item.mime_type == value) == wanted


def _prefix(field: str, value: str) -> Callable[[Item, View], bool]:
    if field == "mimeType":
        return lambda item, _: item.mime_type.startswith(value)
    words = re.compile(rf"\b{re.escape(value)}")
    return lambda item, _: words.search(item.name.lower()) is not None


def _equality(sign: str) -> bool:
    if sign not in {"=", "!="}:
        raise QueryError(f"cannot compare by {sign}")
    return sign == "="


def _sign(
    sign: str, known: dict[str, Callable[[object, object], bool]]
) -> Callable[[object, object], bool]:
    if sign not in known:
        raise QueryError(f"cannot compare by {sign}")
    return known[sign]


def _milliseconds(value: str) -> int:
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise QueryError(f"{value} is not a time") from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
