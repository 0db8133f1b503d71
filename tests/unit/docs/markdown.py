"""The Markdown files of the project, parsed as far as the tests need it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["ROOT", "anchors", "blocks", "code_spans", "links", "pages"]

ROOT = Path(__file__).parents[3]
_ELSEWHERE = {"node_modules", ".venv", ".next", "out", "dist", ".git"}
_FENCE = re.compile(r"^(?P<fence>```+)(?P<language>\w*)\n(?P<text>.*?)^(?P=fence)$", re.M | re.S)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<inline>[^)\s]+)\)|(?:src|srcset)=\"(?P<image>[^\"]+)\"")
_HEADING = re.compile(r"^#{1,6} (?P<title>.+?)\s*$", re.M)


def pages() -> list[Path]:
    """Every Markdown file of the project, without those of installed packages."""
    found = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").glob("*.md"),
        *(ROOT / "deploy").glob("*.md"),
    ]
    return sorted(it for it in found if not _ELSEWHERE & set(it.relative_to(ROOT).parts))


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a language."""
    found = _FENCE.finditer(page.read_text("utf-8"))
    return [it["text"] for it in found if it["language"] == language]


def code_spans(page: Path) -> list[str]:
    """The inline code of the page."""
    return re.findall(r"`([^`\n]+)`", _FENCE.sub("", page.read_text("utf-8")))


def links(page: Path) -> Iterator[str]:
    """Yield the targets of the page's links; code is skipped."""
    text = re.sub(r"`[^`\n]*`", "``", _FENCE.sub("", page.read_text("utf-8")))
    for found in _LINK.finditer(text):
        yield found["inline"] or found["image"]


def anchors(page: Path) -> set[str]:
    """The anchors of the page's headings, as GitHub generates them."""
    seen: dict[str, int] = {}
    found = set()
    for heading in _HEADING.finditer(_FENCE.sub("", page.read_text("utf-8"))):
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading["title"]).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        number = seen.get(slug, 0)
        seen[slug] = number + 1
        found.add(f"{slug}-{number}" if number else slug)
    return found
