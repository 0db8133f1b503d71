"""`raglive revoke`: revoke tokens before they expire."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from raglive.app.installation import find_installation
from raglive.app.tokens import revoke_tokens
from raglive.cli.running import Json, load_settings, run
from raglive.cli.terminal import print_json, print_line

__all__ = ["revoke"]


def revoke(
    token: Annotated[
        str | None, typer.Option(help="The token itself; `-` reads it from standard input.")
    ] = None,
    token_id: Annotated[
        str | None, typer.Option("--id", help="Id of the token, its `jti`; the audit log shows it.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="Subject; all its tokens issued until now are revoked.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Reason, for the audit log.")] = None,
    as_json: Json = False,
) -> None:
    """Revoke a token, or all tokens of a subject. Their connections close within a second."""
    settings = load_settings()

    if token == "-":  # noqa: S105 - standard input
        token = sys.stdin.readline().strip()

    async def ask() -> None:
        revoked = await revoke_tokens(
            find_installation(settings),
            token=token,
            token_id=token_id,
            subject=subject,
            reason=reason,
        )
        if as_json:
            print_json({"revoked": revoked})
        else:
            print_line(f"Revoked: {revoked}")

    run(ask, as_json=as_json)
