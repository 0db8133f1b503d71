"""What signs and verifies tokens."""

from __future__ import annotations

from collections.abc import Iterator

from raglive.app.wiring import Wiring, revealed
from raglive.http_api.key_set import KeySet
from raglive.http_api.tokens import SUPABASE_AUDIENCE, Issuer, Tokens
from raglive.settings import Settings

__all__ = ["tokens_of"]


def tokens_of(wiring: Wiring) -> Tokens:
    """Return the tokens of this installation, of its Supabase project and of another issuer."""
    secret = revealed(wiring.settings.supabase_jwt_secret)
    return Tokens(wiring.jwt_secret, secret, list(_issuers(wiring.settings)))


def _issuers(settings: Settings) -> Iterator[Issuer]:
    if settings.supabase_url is not None:
        name = f"{settings.supabase_url}/auth/v1"
        yield Issuer(name, SUPABASE_AUDIENCE, KeySet(f"{name}/.well-known/jwks.json"))
    if settings.jwks_url and settings.jwt_issuer and settings.jwt_audience:
        yield Issuer(settings.jwt_issuer, settings.jwt_audience, KeySet(settings.jwks_url))
