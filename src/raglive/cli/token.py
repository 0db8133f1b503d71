"""`raglive token`: issue a token."""

from __future__ import annotations

from typing import Annotated

import typer

from raglive.app.installation import find_installation
from raglive.app.tokens import tokens_of
from raglive.cli.running import load_settings, run
from raglive_contract.permissions import Grant, Role

__all__ = ["token"]


def token(
    role: Annotated[Role, typer.Option(help="Rights of the token.")] = Role.VIEWER,
    pipelines: Annotated[
        list[str] | None,
        typer.Option(help="Glob of its pipelines; may be repeated."),
    ] = None,
    ttl: Annotated[int, typer.Option(min=1, help="Seconds until it expires.")] = 3600,
) -> None:
    """Issue a token and print nothing else."""
    settings = load_settings()

    async def issue() -> None:
        grant = Grant(role, tuple(pipelines or ["*"]))
        typer.echo(tokens_of(find_installation(settings)).issue(grant, ttl, subject="command-line"))

    run(issue)
