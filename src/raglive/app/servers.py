"""The status server."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator

from raglive.app.installation import Installation, revealed
from raglive.app.serving import serve_http
from raglive.bus.postgres import PostgresBus
from raglive.dashboard.server import create_dashboard
from raglive.http_api.key_set import KeySet
from raglive.http_api.tokens import SUPABASE_AUDIENCE, Issuer, Tokens
from raglive.settings import Settings
from raglive.status_server.server import StatusServer

__all__ = ["run_dashboard", "run_status_server", "tokens_of"]


async def run_status_server(installation: Installation, stop: Awaitable[None]) -> None:
    """Serve Socket.IO and HTTP until `stop`."""
    settings = installation.settings
    async with installation.database("status server", max_size=10) as database:
        server = StatusServer(settings, database, tokens_of(installation))
        await serve_http(
            server.asgi,
            settings.host,
            settings.status_port,
            server.until_drained(stop),
            trusted_proxies=settings.trusted_proxies,
        )


async def run_dashboard(installation: Installation, stop: Awaitable[None]) -> None:
    """Serve the web app and `/api/*` until `stop`."""
    settings = installation.settings
    async with (
        installation.database("dashboard") as database,
        PostgresBus(database.dsn, listens=database.listens) as bus,
    ):
        app = create_dashboard(settings, database, tokens_of(installation), bus)
        await serve_http(
            app,
            settings.host,
            settings.dashboard_port,
            stop,
            trusted_proxies=settings.trusted_proxies,
            before_stop=app.state.release_waiting,
        )


def tokens_of(installation: Installation) -> Tokens:
    """Return the tokens of this installation, of its Supabase project and of another issuer."""
    secret = revealed(installation.settings.supabase_jwt_secret)
    return Tokens(installation.jwt_secret, secret, list(_issuers(installation.settings)))


def _issuers(settings: Settings) -> Iterator[Issuer]:
    if settings.supabase_url is not None:
        name = f"{settings.supabase_url}/auth/v1"
        yield Issuer(name, SUPABASE_AUDIENCE, KeySet(f"{name}/.well-known/jwks.json"))
    if settings.jwks_url and settings.jwt_issuer and settings.jwt_audience:
        yield Issuer(settings.jwt_issuer, settings.jwt_audience, KeySet(settings.jwks_url))
