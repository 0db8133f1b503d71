"""Search for chunks: by their vectors, by full text, or by both with the rankings fused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from raglive.store.index.text_search import explain_configuration_errors
from raglive.store.index.vector_cache import Vector
from raglive.store.index.vector_space import VectorSpace, require_space
from raglive.store.log.pipeline_status import read_within
from raglive.store.pool import Connection, Database
from raglive.store.sql import load_queries

__all__ = ["NO_FILTER", "ChunkSearch", "Hit", "SearchFilter"]

_QUERIES = load_queries(__name__)

MIN_DEPTH = 50  # chunks of each ranking
DEPTH_PER_HIT = 4
RANK_OFFSET = 60  # the constant k of reciprocal rank fusion
_FILES = "JOIN raglive.files AS file USING (file_key)"
_EXACT = re.compile(r'"|(?:^|\s)-\w')  # a phrase or an excluded word
_OPERATOR = re.compile(rf"{_EXACT.pattern}|\bor\b", re.I)
_START, _STOP = "\x02", "\x03"  # no indexed text holds these characters

Ranks = dict[int, float]


@dataclass(frozen=True, slots=True)
class SearchFilter:
    """Limits a search to pipelines, types and times; the default limits nothing.

    `types` are MIME types (`text/*` for several) or extensions, and the times are those at which
    a file was indexed: `since` inclusive, `until` exclusive.
    """

    pipeline_keys: Sequence[int] | None = None
    types: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self, first: int) -> tuple[str, list[Any]]:
        """Return an SQL condition on `file`, empty for no limit, and its numbered arguments."""
        names = [f"%.{_literal(one.lstrip('.'))}" for one in self.types if "/" not in one]
        mimes = [_literal(one).replace("*", "%") for one in self.types if "/" in one]
        moment = "coalesce(file.finished_at, file.updated_at)"
        required: list[tuple[str, list[Any]]] = []
        if self.pipeline_keys is not None:
            required.append(("file.pipeline_key = ANY ({})", [list(self.pipeline_keys)]))
        if self.types:
            either = "(file.mime_type LIKE ANY ({}::text[]) OR lower(file.name) LIKE ANY ({}))"
            required.append((either, [mimes, names]))
        if self.since is not None:
            required.append((moment + " >= {}", [self.since]))
        if self.until is not None:
            required.append((moment + " < {}", [self.until]))
        args = [value for _, values in required for value in values]
        numbers = iter(range(first, first + len(args)))
        parts = [text.format(*(f"${next(numbers)}" for _ in values)) for text, values in required]
        return " AND ".join(parts), args


NO_FILTER = SearchFilter()


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found.

    Hits are ordered by `score`, from 0 to 1. `similarity` is the cosine similarity, None in a
    search without a vector. `marks` are the matched words as offsets in `snippet`.
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
class _Terms:
    """A question's search terms, as quoted words, and the share of chunks that hold each.

    `drops_stop_words`: the question has further words, which are neither searched nor marked.
    """

    question: str
    words: list[str]
    shares: list[float]
    drops_stop_words: bool


class ChunkSearch:
    """Searches the index; every method may raise `DatabaseUnavailable`.

    `config` is the Postgres text search configuration that splits texts into words.
    """

    def __init__(
        self, database: Database, *, config: str = "simple", within_seconds: float = 10.0
    ) -> None:
        self._database = database
        self._config = config
        self._within_seconds = within_seconds

    async def pipelines(self) -> dict[str, int]:
        """Return the keys of all pipelines by their ids."""
        rows = await read_within(self._within_seconds, self._database.fetch(_QUERIES["pipelines"]))
        return {row["pipeline_id"]: row["pipeline_key"] for row in rows}

    async def find(
        self,
        question: str,
        *,
        vector: Vector | None = None,
        space: VectorSpace | None = None,
        full_text: bool = True,
        where: SearchFilter = NO_FILTER,
        limit: int = 10,
    ) -> list[Hit]:
        """Return the best hits: by `vector`, by the words of the question, or by both.

        Raises `EmbeddingModelChanged` if the index has left the vector's `space`.
        """
        found = self._find(
            question, vector, space=space, full_text=full_text, where=where, limit=limit
        )
        with explain_configuration_errors(self._config):
            return await read_within(self._within_seconds, found)

    async def _find(
        self,
        question: str,
        vector: Vector | None,
        *,
        space: VectorSpace | None,
        full_text: bool,
        where: SearchFilter,
        limit: int,
    ) -> list[Hit]:
        depth = max(MIN_DEPTH, DEPTH_PER_HIT * limit)
        rankings: dict[str, Ranks] = {}
        async with (
            self._database.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.execute(_QUERIES["lock_columns"])
            if space is not None:
                await require_space(connection, space)
            terms = await self._terms(connection, question)
            if full_text:
                rankings["text"] = await self._rank_by_text(connection, terms, where, depth)
            if vector is not None:
                rankings["vector"] = await self._rank_by_vector(connection, vector, where, depth)
            scores = _fuse(list(rankings.values()))
            best = sorted(scores, key=lambda one: -scores[one])[:limit]
            rows = await connection.fetch(self._query("hits"), best, vector, terms.words)
        by_id = {row["chunk_id"]: dict(row) for row in rows}
        return [
            _hit(by_id[one], scores[one], tuple(name for name in rankings if one in rankings[name]))
            for one in best
        ]

    async def _terms(self, connection: Connection, question: str) -> _Terms:
        rows = await connection.fetch(self._query("terms"), question)
        has_operators = _OPERATOR.search(question) is not None
        searched = [row for row in rows if has_operators or not row["is_stop_word"]]
        return _Terms(
            question,
            [row["quoted"] for row in searched],
            [row["share"] for row in searched],
            drops_stop_words=len(searched) < len(rows),
        )

    async def _rank_by_text(
        self, connection: Connection, terms: _Terms, where: SearchFilter, depth: int
    ) -> Ranks:
        conditions, args = where.conditions(7)
        rows = await connection.fetch(
            self._query("rank_by_text", conditions),
            depth,
            terms.question,
            _EXACT.search(terms.question) is not None,
            terms.words,
            terms.shares,
            terms.drops_stop_words,
            *args,
        )
        return {row["chunk_id"]: row["score"] for row in rows}

    async def _rank_by_vector(
        self, connection: Connection, vector: Vector, where: SearchFilter, depth: int
    ) -> Ranks:
        conditions, args = where.conditions(3)
        query = self._query("rank_by_vector", conditions)
        await connection.execute(self._query("widen_index_scan").replace("$1", f"'{depth}'"))
        rows = await connection.fetch(query, depth, vector, *args)
        if conditions and len(rows) < depth:  # the vector index may have stopped early
            await connection.execute(_QUERIES["disable_index_scan"])
            rows = await connection.fetch(query, depth, vector, *args)
        ranked = sorted(rows, key=lambda row: -row["score"])
        return {row["chunk_id"]: row["score"] for row in ranked}

    def _query(self, name: str, conditions: str = "") -> str:
        return _QUERIES[name].format(
            config=self._config, files=_FILES if conditions else "", where=conditions or "true"
        )


def _fuse(rankings: Sequence[Ranks]) -> Ranks:
    """Fuse rankings by reciprocal rank; first in all of them scores 1.0. One keeps its scores."""
    if len(rankings) == 1:
        return rankings[0]
    scores: Ranks = {}
    for ranks in rankings:
        for rank, one in enumerate(ranks):
            share = (RANK_OFFSET + 1) / (RANK_OFFSET + 1 + rank) / len(rankings)
            scores[one] = scores.get(one, 0.0) + share
    return scores


def _hit(row: dict[str, Any], score: float, matched: tuple[str, ...]) -> Hit:
    del row["chunk_id"]
    snippet, marks = _marked(row.pop("headline"))
    return Hit(score=score, matched=matched, snippet=snippet, marks=marks, **row)


def _marked(headline: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return a headline without its marks, and the offsets that they enclosed."""
    snippet, marks = "", []
    for piece in headline.split(_START):
        marked, stop, rest = piece.rpartition(_STOP)
        if stop:
            marks.append((len(snippet), len(snippet) + len(marked)))
        snippet += marked + rest
    return snippet, tuple(marks)


def _literal(pattern: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", pattern.lower())
