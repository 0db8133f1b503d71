"""`raglive revoke --token -` takes the token from standard input."""

from __future__ import annotations

from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner

from raglive.cli import revoke as command


def test_a_token_is_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    async def revoke_tokens(_installation: object, **stated: str | None) -> str:
        asked.append(stated["token"])
        return "the token 1"

    monkeypatch.setattr(command, "revoke_tokens", revoke_tokens)
    monkeypatch.setattr(command, "find_installation", lambda _settings: None)
    app = Typer()
    app.command()(command.revoke)
    result = CliRunner().invoke(app, ["--token", "-"], input="eyJ.secret.x\n")
    assert result.exit_code == 0, result.output
    assert asked == ["eyJ.secret.x"]
    assert "secret" not in result.output
