from __future__ import annotations

import hashlib
import random
from bisect import bisect_right
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raglive.extraction.chunking import split
from raglive.extraction.model import Extracted

TEXT = st.text(
    st.one_of(
        st.sampled_from("abc ABC\n\n\n.!?# |-\t\u3002"),
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("e\u0301\u200d\U0001f469\ufe0f"),
    ),
    max_size=4_000,
)
SENTENCE = "The harbour master counts the boats at dawn and writes their names into his book. "


@given(
    TEXT,
    st.integers(50, 400),
    st.integers(0, 25),
    st.lists(st.integers(0, 4_000), max_size=8, unique=True),
    st.booleans(),
)
def test_chunks_cover_the_text_within_their_bounds(
    text: str, target: int, overlap: int, pages: list[int], is_markdown: bool
) -> None:
    starts = tuple(sorted({0, *(p for p in pages if p < len(text))})) if pages else ()
    document = Extracted(text, "text/plain", page_starts=starts, is_markdown=is_markdown)
    chunks = split(document, target_chars=target, overlap_chars=overlap)

    covered = {i for chunk in chunks for i in range(chunk.start, chunk.end)}
    assert {i for i, c in enumerate(text) if not c.isspace()} <= covered
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    for chunk in chunks:
        assert chunk.text == text[chunk.start : chunk.end] == chunk.text.strip()
        assert 0 < len(chunk.text) <= 1.25 * target + overlap
        assert chunk.content_hash == hashlib.sha256(chunk.text.encode()).digest()
        if not starts:
            assert chunk.page is None
        else:
            pages_of = {bisect_right(starts, i) for i in range(chunk.start, chunk.end)}
            assert chunk.page in pages_of
    assert chunks == split(document, target_chars=target, overlap_chars=overlap)


def test_a_short_text_is_one_chunk_and_white_space_none() -> None:
    assert [c.text for c in split(Extracted("  A note.\n", "text/plain"))] == ["A note."]
    assert split(Extracted(" \n\t ", "text/plain")) == []


def test_chunks_end_where_sentences_end_and_repeat_whole_words() -> None:
    chunks = split(Extracted(SENTENCE * 60, "text/plain"))
    assert all(chunk.text.endswith("book.") for chunk in chunks)
    words = set(SENTENCE.split())
    assert all(chunk.text.split()[0] in words for chunk in chunks[1:])
    assert all(after.start < before.end for before, after in pairwise(chunks))


def test_markdown_is_cut_before_its_headings() -> None:
    sections = [f"# Part {i}\n\n" + SENTENCE * 10 for i in range(20)]
    text = "\n\n".join(sections)
    chunks = split(Extracted(text, "text/markdown", is_markdown=True), overlap_chars=0)
    assert all(chunk.text.startswith("# Part") for chunk in chunks)


def test_an_insertion_changes_the_chunks_around_it_only() -> None:
    """Only changed chunks are embedded again: an edit must not move every cut after it."""
    chance = random.Random(7)
    words = SENTENCE[:-2].split()
    sentences = [" ".join(chance.choices(words, k=12)).capitalize() + ". " for _ in range(4_000)]
    before = {c.content_hash for c in split(Extracted("".join(sentences), "text/plain"))}
    sentences.insert(1_000, "A sentence that was not there before. ")
    after = {c.content_hash for c in split(Extracted("".join(sentences), "text/plain"))}
    assert len(before) > 300
    assert len(after - before) <= 12


def test_a_text_without_any_boundary_is_cut_all_the_same() -> None:
    chunks = split(Extracted("x" * 100_000, "text/plain"))
    assert len(chunks) == 100
    accents = split(Extracted("e\u0301" * 5_000, "text/plain"))
    assert all(chunk.text[0] == "e" for chunk in accents)


@pytest.mark.parametrize(("target", "overlap"), [(49, 0), (100, 51), (100, -1)])
def test_absurd_sizes_are_refused(target: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="chunk"):
        split(Extracted("text", "text/plain"), target_chars=target, overlap_chars=overlap)
