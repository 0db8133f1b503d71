"""`raglive revoke`: take tokens back before their end."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from raglive.app.installation import find_installation
from raglive.app.operations import revoke_tokens
from raglive.cli.running import Json, load_settings, run

__all__ = ["revoke"]


def revoke(
    token: Annotated[str | None, typer.Option(help="The token itself.")] = None,
    token_id: Annotated[
        str | None, typer.Option("--id", help="Id of the token, its `jti`; the audit has it.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="Subject whose tokens that were issued until now end.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, for the audit.")] = None,
    as_json: Json = False,
) -> None:
    """Revoke a token, or all tokens of a subject; connections are closed within a second."""
    settings = load_settings()

    async def ask() -> None:
        revoked = await revoke_tokens(
            find_installation(settings),
            token=token,
            token_id=token_id,
            subject=subject,
            reason=reason,
        )
        typer.echo(orjson.dumps({"revoked": revoked}) if as_json else f"Revoked: {revoked}")

    run(ask, as_json=as_json)
