"""What answers a question: chunks by their vectors, by their words, or by both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from raglive.store.index.documents import Vector
from raglive.store.index.text_search import configuration_explained
from raglive.store.index.vector_space import VectorSpace, require_space
from raglive.store.log.pipeline_status import read_within
from raglive.store.pool import Connection, Database
from raglive.store.sql import load_queries

__all__ = ["EVERYTHING", "ChunkSearch", "Hit", "Only"]

_QUERIES = load_queries("index/search")

LEAST_DEPTH = 50
DEPTH_PER_HIT = 4
RANK_OFFSET = 60  # of reciprocal rank fusion: how little the first ranks stand out
_FILES = "JOIN raglive.files AS file USING (file_key)"
_EXACT = re.compile(r'"|(?:^|\s)-\w')  # a phrase, or a word to leave out
_OPERATOR = re.compile(rf"{_EXACT.pattern}|\bor\b", re.I)
_START, _STOP = "\x02", "\x03"  # no text in the index holds these

Ranks = dict[int, float]


@dataclass(frozen=True, slots=True)
class Only:
    """What a search is kept to.

    `types`: MIME types (`text/*` for several) or extensions; times: when the file was indexed.
    """

    pipeline_keys: Sequence[int] | None = None
    types: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self, first: int) -> tuple[str, list[Any]]:
        """Return SQL about `file`, with parameters from `$first`; empty when all is searched."""
        names = [f"%.{_literal(one.lstrip('.'))}" for one in self.types if "/" not in one]
        mimes = [_literal(one).replace("*", "%") for one in self.types if "/" in one]
        moment = "coalesce(file.finished_at, file.updated_at)"
        wanted: list[tuple[str, list[Any]]] = []
        if self.pipeline_keys is not None:
            wanted.append(("file.pipeline_key = ANY ({})", [list(self.pipeline_keys)]))
        if self.types:
            either = "(file.mime_type LIKE ANY ({}::text[]) OR lower(file.name) LIKE ANY ({}))"
            wanted.append((either, [mimes, names]))
        if self.since is not None:
            wanted.append((moment + " >= {}", [self.since]))
        if self.until is not None:
            wanted.append((moment + " < {}", [self.until]))
        args = [value for _, values in wanted for value in values]
        numbers = iter(range(first, first + len(args)))
        parts = [text.format(*(f"${next(numbers)}" for _ in values)) for text, values in wanted]
        return " AND ".join(parts), args


EVERYTHING = Only()


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found.

    `score`, from 0 to 1, is what hits are ordered by; `similarity` the cosine similarity, None
    where no vector was asked for; `marks` the words asked for, as offsets in `snippet`.
    """

    score: float
    similarity: float | None
    matched: tuple[str, ...]
    content: str
    chunk_index: int
    page: int | None
    snippet: str
    marks: tuple[tuple[int, int], ...]
    file_id: str
    name: str
    folder: str
    url: str | None
    mime_type: str | None
    pipeline_id: str
    indexed_at: datetime


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question, its words that are asked for and marked, and which share of chunks holds each."""

    question: str
    words: list[str]
    shares: list[float]
    has_light: bool  # others, which are not


class ChunkSearch:
    """Searches of the index; each may raise `DatabaseUnavailable`.

    `config` is the text search configuration that cuts texts into words.
    """

    def __init__(
        self, database: Database, *, config: str = "simple", within_seconds: float = 10.0
    ) -> None:
        self._database = database
        self._config = config
        self._within_seconds = within_seconds

    async def pipelines(self) -> dict[str, int]:
        """Return the key of every pipeline by its id."""
        rows = await read_within(self._within_seconds, self._database.fetch(_QUERIES["pipelines"]))
        return {row["pipeline_id"]: row["pipeline_key"] for row in rows}

    async def find(
        self,
        question: str,
        *,
        vector: Vector | None = None,
        space: VectorSpace | None = None,
        words: bool = True,
        only: Only = EVERYTHING,
        limit: int = 10,
    ) -> list[Hit]:
        """Return what answers the question best: by `vector`, by its words, or by both.

        Raises `EmbeddingModelChanged` when the index is no longer in `space`, the vector's.
        """
        found = self._find(question, vector, space=space, words=words, only=only, limit=limit)
        with configuration_explained(self._config):
            return await read_within(self._within_seconds, found)

    async def _find(
        self,
        question: str,
        vector: Vector | None,
        *,
        space: VectorSpace | None,
        words: bool,
        only: Only,
        limit: int,
    ) -> list[Hit]:
        depth = max(LEAST_DEPTH, DEPTH_PER_HIT * limit)
        ways: dict[str, Ranks] = {}
        async with (
            self._database.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.execute(_QUERIES["hold"])
            if space is not None:
                await require_space(connection, space)
            asked = await self._asked(connection, question)
            if words:
                ways["text"] = await self._worded(connection, asked, only, depth)
            if vector is not None:
                ways["vector"] = await self._nearest(connection, vector, only, depth)
            scores = _fused(list(ways.values()))
            best = sorted(scores, key=lambda one: -scores[one])[:limit]
            rows = await connection.fetch(self._query("hits"), best, vector, asked.words)
        by_id = {row["chunk_id"]: dict(row) for row in rows}
        return [
            _hit(by_id[one], scores[one], tuple(way for way in ways if one in ways[way]))
            for one in best
        ]

    async def _asked(self, connection: Connection, question: str) -> _Asked:
        rows = await connection.fetch(self._query("words"), question)
        as_it_is = _OPERATOR.search(question) is not None
        heavy = [row for row in rows if as_it_is or not row["is_light"]]
        return _Asked(
            question,
            [row["quoted"] for row in heavy],
            [row["share"] for row in heavy],
            has_light=len(heavy) < len(rows),
        )

    async def _worded(self, connection: Connection, asked: _Asked, only: Only, depth: int) -> Ranks:
        conditions, args = only.conditions(7)
        rows = await connection.fetch(
            self._query("worded", conditions),
            depth,
            asked.question,
            _EXACT.search(asked.question) is not None,
            asked.words,
            asked.shares,
            asked.has_light,
            *args,
        )
        return {row["chunk_id"]: row["score"] for row in rows}

    async def _nearest(
        self, connection: Connection, vector: Vector, only: Only, depth: int
    ) -> Ranks:
        conditions, args = only.conditions(3)
        query = self._query("nearest", conditions)
        await connection.execute(self._query("scan_widely").replace("$1", f"'{depth}'"))
        rows = await connection.fetch(query, depth, vector, *args)
        if conditions and len(rows) < depth:  # the vector index may have given up too early
            await connection.execute(_QUERIES["scan_all"])
            rows = await connection.fetch(query, depth, vector, *args)
        ranked = sorted(rows, key=lambda row: -row["score"])
        return {row["chunk_id"]: row["score"] for row in ranked}

    def _query(self, name: str, conditions: str = "") -> str:
        return _QUERIES[name].format(
            config=self._config, files=_FILES if conditions else "", only=conditions or "true"
        )


def _fused(ways: Sequence[Ranks]) -> Ranks:
    """Join rankings by reciprocal rank; 1.0 is the first of all. One alone keeps its scores."""
    if len(ways) == 1:
        return ways[0]
    scores: Ranks = {}
    for ranks in ways:
        for place, one in enumerate(ranks):
            share = (RANK_OFFSET + 1) / (RANK_OFFSET + 1 + place) / len(ways)
            scores[one] = scores.get(one, 0.0) + share
    return scores


def _hit(row: dict[str, Any], score: float, matched: tuple[str, ...]) -> Hit:
    del row["chunk_id"]
    snippet, marks = _marked(row.pop("headline"))
    return Hit(score=score, matched=matched, snippet=snippet, marks=marks, **row)


def _marked(headline: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Take the marks out of a headline; return the text, and where they stood."""
    snippet, marks = "", []
    for piece in headline.split(_START):
        marked, stop, rest = piece.rpartition(_STOP)
        if stop:
            marks.append((len(snippet), len(snippet) + len(marked)))
        snippet += marked + rest
    return snippet, tuple(marks)


def _literal(pattern: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", pattern.lower())
