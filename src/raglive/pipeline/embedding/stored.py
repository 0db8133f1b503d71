"""The vectors that are stored, looked up in one query for all files that ask at about one time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from raglive.database.documents import Documents, Vector

__all__ = ["StoredVectors"]


@dataclass(slots=True, eq=False)
class _Question:
    hashes: set[bytes] = field(default_factory=set)
    answer: dict[bytes, Vector] | None = None


class StoredVectors:
    """Asks one question at a time; who comes meanwhile shares the next one."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._turn = asyncio.Lock()
        self._next = _Question()

    async def find(self, content_hashes: Sequence[bytes]) -> dict[bytes, Vector]:
        """Return the vectors of those texts that are stored; raise the database's errors."""
        question = self._next
        question.hashes.update(content_hashes)
        async with self._turn:
            if self._next is question:
                self._next = _Question()
            if question.answer is None:  # nobody has asked it, or whoever did has failed
                asked = list(question.hashes)
                question.answer = await self._documents.known_embeddings(asked)
            answer = question.answer
        return {it: answer[it] for it in content_hashes if it in answer}
