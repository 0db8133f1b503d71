"""Whatever the text from outside, commands and logs print no control character of it."""

from __future__ import annotations

import io
import json
import logging
import unicodedata
from pathlib import Path

import pytest
import structlog
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from raglive.cli import search, terminal
from raglive.cli import tail as tail_command
from raglive.cli.logs import configure_logs
from raglive.cli.terminal import visible, visible_json, visible_lines
from raglive.cli.up_display import UpDisplay
from raglive.settings import read_settings
from raglive.store.index.search import Hit
from raglive_contract.errors import RagliveError

ATTACKS = [
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x9b31m",
    "a\nerror: forged",
    "invoice\u202efdp.exe",
    "\u2066isolate\u2069",
    "\r\x7f\x85\u2028",
]
TEXTS = st.one_of(st.sampled_from(ATTACKS), st.text(), st.text(st.characters(categories=["Cc"])))
BIDIRECTIONAL = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def assert_harmless(output: str) -> None:
    for character in output.replace("\n", ""):
        assert unicodedata.category(character) not in {"Cc", "Zl", "Zp", "Cs"}, repr(output)
        assert unicodedata.bidirectional(character) not in BIDIRECTIONAL, repr(output)


@given(TEXTS | st.text(st.characters(categories=["Cs", "Cc", "Cf"])))
def test_no_control_character_is_printed(text: str) -> None:
    shown = visible(text)
    assert_harmless(shown)
    assert "\n" not in shown
    assert_harmless(visible_lines(text))


@given(TEXTS)
def test_json_stays_equal(text: str) -> None:
    for document in (json.dumps({text: text}, ensure_ascii=False), json.dumps([text], indent=2)):
        shown = visible_json(document)
        assert_harmless(shown)
        assert json.loads(shown) == json.loads(document)


@pytest.mark.parametrize("log_format", ["console", "json"])
@given(text=TEXTS)
def test_logs(log_format: str, text: str) -> None:
    before, handlers = structlog.get_config(), logging.getLogger().handlers[:]
    output = io.StringIO()
    try:
        configure_logs(read_settings({"RAGLIVE_LOG_FORMAT": log_format}), output)
        structlog.configure(
            processors=[
                structlog.dev.ConsoleRenderer(
                    colors=False, exception_formatter=one._exception_formatter
                )
                if isinstance(one, structlog.dev.ConsoleRenderer)
                else one
                for one in structlog.get_config()["processors"]
            ],
            cache_logger_on_first_use=False,
        )
        log = structlog.get_logger()
        log.info(text, name=text, names=[text], error=ValueError(text))
        log.info("event", name=text)
        assert output.getvalue().count("\n") == 2
        logging.getLogger("library").warning("%s", text)
        assert output.getvalue().count("\n") == 3
        try:
            raise ValueError(text)
        except ValueError:
            log.exception("failed")
            logging.getLogger("library").exception("failed")
    finally:
        structlog.configure(**before)
        logging.getLogger().handlers[:] = handlers
    assert_harmless(output.getvalue())


@given(TEXTS)
def test_search_tail_up_and_errors(text: str) -> None:
    output = io.StringIO()
    console = Console(file=output, width=100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "Console", lambda: console)
        patch.setattr(typer, "secho", lambda line, **_: output.write(f"{line}\n"))
        search._show([_hit(text)])
        event = {"file": {"name": text}, "timestamp": "2026-01-01T00:00:00.000Z", "seq": 1}
        error = {"type": "file:failed", "error": {"message": text}}
        console.print(tail_command._line(event | error))  # type: ignore[arg-type]
        display = UpDisplay(lambda: "http://127.0.0.1", Path("data"), Path("x"), [])
        display._console = console
        display.note(text)
        terminal.print_line(RagliveError(text).message)
    assert_harmless(output.getvalue())


def _hit(text: str) -> Hit:
    half = len(text) // 2
    values = dict.fromkeys(Hit.__dataclass_fields__, None) | {
        "name": text,
        "snippet": text,
        "marks": ((0, half),),
        "score": 0.5,
        "chunk_index": 0,
    }
    return Hit(**values)  # type: ignore[arg-type]
