"""Error codes are members of one enumeration, not loose strings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import raglive
import raglive_contract
import raglive_reporter
from raglive_contract.errors import ErrorCode

FOLDERS = [Path(package.__path__[0]) for package in (raglive, raglive_contract, raglive_reporter)]


def loose_codes(tree: ast.AST) -> Iterator[ast.Constant]:
    """Find string literals that are passed, assigned or compared as a code."""
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="code", value=ast.Constant(value=str()) as literal):
                yield literal
            case ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant() as literal):
                yield literal
            case ast.Compare(left=ast.Attribute(attr="code"), comparators=[ast.Constant() as it]):
                yield it
            case ast.Call(func=ast.Name(id="failed" | "skipped"), args=[ast.Constant() as it, *_]):
                yield it


def test_no_code_is_a_loose_string() -> None:
    found = [
        f"{path}:{literal.lineno}: {literal.value!r}"
        for folder in FOLDERS
        for path in folder.rglob("*.py")
        for literal in loose_codes(ast.parse(path.read_text("utf-8")))
    ]
    assert found == []


def test_loose_codes_are_found() -> None:
    source = (
        'RagliveError("x", code="forbidden")\n'
        'code = "no_text"\n'
        'if error.code == "idle": pass\n'
        'failed("extraction_error", "x")\n'
    )
    assert len(list(loose_codes(ast.parse(source)))) == 4


def test_codes_are_words_in_snake_case() -> None:
    assert all(code.name == code.value.upper() for code in ErrorCode)
