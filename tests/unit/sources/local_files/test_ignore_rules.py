from __future__ import annotations

import pytest

from raglive.sources.local_files.ignore_rules import IgnoreRules


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".env",
        "~$budget.xlsx",
        ".~lock.report.odt#",
        "sub/download.pdf.crdownload",
        "sub/download.pdf.PART",
        "a.tmp",
        "web/node_modules/x/readme.md",
        "Thumbs.db",
        "notes.txt~",
    ],
)
def test_what_is_never_a_document(path: str) -> None:
    assert IgnoreRules().ignores_path(path, is_folder=False)


@pytest.mark.parametrize("path", ["a.txt", "tmp/a.txt", "node_modules", "part.md", "x/~a.md"])
def test_what_only_looks_like_it(path: str) -> None:
    assert not IgnoreRules().ignores_path(path, is_folder=False)


@pytest.mark.parametrize(
    ("glob", "left_out", "kept"),
    [
        ("*.log", ["a.log", "x/y/a.log"], ["a.LOG", "a.log.txt"]),
        ("drafts", ["drafts/a", "x/drafts/a", "drafts"], ["drafts2/a"]),
        ("drafts/", ["drafts/a", "x/drafts/b"], ["drafts", "x/drafts"]),
        ("/private/*", ["private/a", "private/b/c"], ["x/private/a"]),
        ("a/**/old.md", ["a/old.md", "a/b/c/old.md"], ["b/old.md", "a/xold.md"]),
        ("archive/**", ["archive/a", "archive/b/c"], ["archive", "x/archive/a"]),
        ("v[0-9].?d", ["v1.md", "x/v2.rd"], ["va.md", "v1.mmd"]),
        ("v[!0-9]", ["va"], ["v1"]),
        ("odd[z-a].txt", ["odd[z-a].txt"], ["oddz.txt"]),
        ("unclosed[", ["unclosed["], ["unclosedx"]),
        ("/", [], ["a"]),
    ],
)
def test_globs_of_the_settings(glob: str, left_out: list[str], kept: list[str]) -> None:
    rules = IgnoreRules([glob])
    assert [p for p in left_out if not rules.ignores_path(p, is_folder=False)] == []
    assert [p for p in kept if rules.ignores_path(p, is_folder=False)] == []
