"""Everything that the documentation names exists: files, anchors, settings, commands, targets."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from tools.reference_commands import all_commands

from raglive.settings import variable_names
from tests.unit.docs.markdown import ROOT, anchors, blocks, code_spans, links, pages

each_page = pytest.mark.parametrize("page", pages(), ids=lambda it: str(it.relative_to(ROOT)))

SETTINGS = {name for names in variable_names().values() for name in names}
COMMANDS = {
    path: {option for parameter in command.params for option in parameter.opts}
    for path, command in all_commands()
}
# A moving picture is many frames without loss, so that its text stays sharp.
MOST_PICTURE_BYTES = {".png": 100_000, ".webp": 300_000}
OTHER_VARIABLES = {
    "RAGLIVE_TEST_DATABASE_URL",
    "RAGLIVE_TEST_GOOGLE_FOLDER",
    "RAGLIVE_TEST_GOOGLE_KEY",
    "RAGLIVE_TEST_HISTORIES",
}
_SETTING = re.compile(r"\b(?:RAGLIVE|SOCKET_IO|EMBEDDING|RAG|SUPABASE)_[A-Z][A-Z_]*[A-Z]\b")
_COMMAND = re.compile(r"(?:^|[\s(/])raglive ((?:[a-z][a-z-]* ?)+)([^|;#)\n]*)")
_OPTION = re.compile(r"--[a-z-]+")
_MAKE = re.compile(r"(?:^|`)make ([a-z]+)", re.M)


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / unquote(place)).resolve() if place else page
        known = target.exists() and target.is_relative_to(ROOT)
        if not known or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@each_page
def test_every_setting_exists(page: Path) -> None:
    named = set(_SETTING.findall(page.read_text("utf-8")))
    assert named - SETTINGS - OTHER_VARIABLES == set()


@each_page
def test_every_command_exists_and_has_the_options_shown(page: Path) -> None:
    for code in [*blocks(page, "sh"), *code_spans(page)]:
        for words, rest in _COMMAND.findall(code):
            known = [path for path in COMMANDS if f"raglive {words} ".startswith(f"{path} ")]
            is_group = any(path.startswith(f"raglive {words.strip()} ") for path in COMMANDS)
            assert known or is_group, words
            options = {option for path in known for option in COMMANDS[path]}
            assert set(_OPTION.findall(rest)) - options - {"--help"} == set(), code


@each_page
def test_every_make_target_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.M))
    assert set(_MAKE.findall(page.read_text("utf-8"))) - targets == set()


@each_page
def test_every_json_example_is_json(page: Path) -> None:
    for example in blocks(page, "json"):
        json.loads(example)


def test_the_index_names_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    named = {(index.parent / link).resolve() for link in links(index)}
    decisions = ROOT / "docs" / "adr"
    named |= {(decisions / link).resolve() for link in links(decisions / "README.md")}
    assert set((ROOT / "docs").rglob("*.md")) - named == {index}


def test_pictures_are_small_and_used() -> None:
    pictures = set((ROOT / "docs" / "images").iterdir())
    used = {(page.parent / link).resolve() for page in pages() for link in links(page)}
    assert pictures - used == set()
    for picture in pictures:
        assert picture.stat().st_size < MOST_PICTURE_BYTES[picture.suffix], picture.name
