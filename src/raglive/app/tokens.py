"""What signs and verifies tokens."""

from __future__ import annotations

from raglive.app.wiring import Wiring, revealed
from raglive.http_api.tokens import Tokens

__all__ = ["tokens_of"]


def tokens_of(wiring: Wiring) -> Tokens:
    """Return the tokens of this installation, and of its Supabase project if it has one."""
    return Tokens(wiring.jwt_secret, revealed(wiring.settings.supabase_jwt_secret))
