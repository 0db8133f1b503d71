"""Realistic documents, no two alike, made from the words of the example documents."""

from __future__ import annotations

import random
import re
from functools import cache
from pathlib import Path

from tests.integration.extraction import documents as formats

__all__ = ["EXAMPLES", "sentence", "write_notes", "write_pdfs"]

EXAMPLES = Path(__file__).parents[2] / "examples" / "documents"
LINES_PER_PAGE = 44
WORDS_PER_LINE = 11
_NEXT_LINE = ") Tj 0 -14 Td ("


def write_pdfs(folder: Path, count: int, pages: int) -> None:
    """Write `count` PDFs of full pages."""
    folder.mkdir(parents=True)
    for number in range(count):
        made = random.Random(number)  # noqa: S311 - the same documents every time
        text = [_page(made) for _ in range(pages)]
        (folder / f"report-{number:05}.pdf").write_bytes(formats.pdf(*text))


def write_notes(folder: Path, count: int) -> None:
    """Write `count` Markdown files of about 1.5 KB, a hundred to a folder."""
    for number in range(count):
        made = random.Random(-1 - number)  # noqa: S311 - as above
        place = folder / f"{number // 100:04}"
        place.mkdir(parents=True, exist_ok=True)
        paragraphs = "\n\n".join(sentence(made, 80) for _ in range(3))
        (place / f"note-{number:05}.md").write_text(f"# Note {number}\n\n{paragraphs}\n")


def _page(made: random.Random) -> str:
    lines = [sentence(made, WORDS_PER_LINE) for _ in range(LINES_PER_PAGE)]
    return _NEXT_LINE.join(lines)


def sentence(made: random.Random, words: int) -> str:
    """Return a sentence of `words` words, drawn from those of the example documents."""
    return " ".join(made.choices(_words(), k=words)).capitalize() + "."


@cache
def _words() -> list[str]:
    text = "".join(path.read_text("utf-8") for path in sorted(EXAMPLES.rglob("*.md")))
    return re.findall(r"[A-Za-z]{2,}", text)
