"""Checks of the two servers: from this machine, and by the address that browsers use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx

from raglive.app.bus import redis_support
from raglive.app.dashboard_server import status_server_address
from raglive.app.doctor.checks import Finding, failed, passed, warned
from raglive.app.installation import Installation, revealed
from raglive.app.tokens import tokens_of
from raglive.dashboard.socket_check import round_trip
from raglive.dashboard.status_server_address import WITH_THE_PAGE
from raglive.settings import Settings
from raglive_contract.errors import RagliveError
from raglive_contract.http import ServerHealth
from raglive_contract.permissions import Grant, Role

__all__ = ["check_bus", "check_dashboard", "check_status_server", "public_url"]

ANSWER_SECONDS = 5.0
TOKEN_SECONDS = 60


async def check_status_server(
    installation: Installation, url: str, setting: str
) -> AsyncIterator[Finding]:
    """Check the status server at one of its addresses, which `setting` changes."""
    subject = f"status server at {url}"
    async with _client() as client:
        try:
            answer = await client.get(f"{url.rstrip('/')}/health")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            yield _unreachable(subject, setting, error)
            return
    try:
        health = ServerHealth.model_validate_json(answer.content)
    except ValueError:
        yield failed(
            subject,
            f"/health is answered with {answer.status_code}, and not by the status server. Correct "
            f"{setting}, or route /health and the path of Socket.IO to it in the proxy.",
        )
        return
    yield passed(subject, f"/health says {health.status}, raglive {health.version}.")
    address = status_server_address(installation.settings)
    path = urlsplit(url).path.rstrip("/") + address.socket_path
    try:
        latency_ms, transport = await round_trip(
            url, path, address.namespaces[0], _token(installation), ANSWER_SECONDS
        )
    except (OSError, ValueError, TimeoutError) as error:
        yield failed(subject, f"Socket.IO with a token of this installation fails: {error}")
        return
    if transport == "websocket":
        yield passed(subject, f"The token is accepted; a WebSocket answers in {latency_ms:.0f} ms.")
    else:
        yield warned(
            subject,
            "The token is accepted, but only by polling: let the proxy pass on the headers Upgrade "
            "and Connection.",
        )
    async for finding in _origin(subject, _origin_of(url) + path, installation.settings):
        yield finding


def public_url(settings: Settings) -> str | None:
    """Return the status server's public address; None when it is whatever the page has."""
    return None if settings.status_url == WITH_THE_PAGE else settings.status_url


def _unreachable(subject: str, setting: str, error: Exception) -> Finding:
    """Return a failure; a warning for a public address, which only browsers need to reach."""
    if setting == "RAGLIVE_STATUS_URL":
        return warned(
            subject,
            f"It cannot be reached from this machine ({type(error).__name__}: {error}). Browsers "
            f"use it: check there, or correct {setting}, the name, or the certificate.",
        )
    return failed(
        subject,
        f"It does not answer ({type(error).__name__}). Start it, or correct {setting}.",
    )


async def _origin(subject: str, url: str, settings: Settings) -> AsyncIterator[Finding]:
    page = _origin_of(public_url(settings) or _dashboard_url(settings))
    async with _client() as client:
        answer = await client.get(f"{url}/", params=_HANDSHAKE, headers={"Origin": page})
    if answer.status_code == httpx.codes.FORBIDDEN:
        yield failed(subject, f"Pages of {page} may not connect. Add it to SOCKET_IO_CORS_ORIGIN.")
    elif answer.is_success:
        yield passed(subject, f"Pages of {page} may connect.")
    else:
        yield failed(subject, f"A handshake from {page} is answered with {answer.status_code}.")


_HANDSHAKE = {"EIO": "4", "transport": "polling"}


async def check_dashboard(installation: Installation) -> AsyncIterator[Finding]:
    """Check the dashboard server, also by the name and the proxy of the public address."""
    settings = installation.settings
    url = _dashboard_url(settings)
    subject = f"dashboard at {url}"
    headers = {"Authorization": f"Bearer {_token(installation)}"}
    async with _client() as client:
        try:
            answer = await client.get(f"{url}/api/health", headers=headers)
            body = answer.json()
            state = body["status"]
        except httpx.HTTPError as error:
            yield failed(subject, f"It does not answer ({type(error).__name__}). Start it.")
            return
        except (ValueError, KeyError, TypeError):
            yield failed(
                subject,
                f"/api/health is answered with {answer.status_code}, and not by the dashboard. "
                "Correct RAGLIVE_DASHBOARD_PORT, or give this command the dashboard's settings.",
            )
            return
        yield (passed if state == "healthy" else warned)(subject, f"/api/health says {state}.")
        if (public := public_url(settings)) is not None:
            host = urlsplit(public).hostname or ""
            answer = await client.get(f"{url}/api/health", headers=headers | {"Host": host})
            if answer.status_code == httpx.codes.MISDIRECTED_REQUEST:
                message = f"It refuses the name {host}. Add it to RAGLIVE_ALLOWED_HOSTS."
                yield failed(subject, message)
            else:
                yield passed(subject, f"It answers to the name {host}.")
            yield _proxies(subject, settings)


def _proxies(subject: str, settings: Settings) -> Finding:
    trusted = ", ".join(settings.trusted_proxies)
    if "*" in settings.trusted_proxies:
        return warned(
            subject,
            "Everybody may state a forwarded address. Name your proxy in RAGLIVE_TRUSTED_PROXIES.",
        )
    return passed(subject, f"Proxies at {trusted} may state a client's address.")


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False)


def _dashboard_url(settings: Settings) -> str:
    return f"http://{settings.reachable_host}:{settings.dashboard_port}"


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _token(installation: Installation) -> str:
    return tokens_of(installation).issue(
        Grant(Role.VIEWER, ("*",)), TOKEN_SECONDS, subject="doctor"
    )


async def check_bus(settings: Settings) -> AsyncIterator[Finding]:
    """Check that Redis delivers a message."""
    url = revealed(settings.redis_url)
    assert url is not None, "is only called with Redis"
    subject = "Redis"
    try:
        _, check_redis = redis_support()
        version = await check_redis(url)
    except RagliveError as error:
        yield failed(subject, error.message)
    except Exception as error:  # of the package, which may not be installed
        yield failed(
            subject,
            f"It does not deliver a message ({type(error).__name__}). Check that it runs and that "
            "REDIS_URL names it. Until then Postgres carries everything.",
        )
    else:
        yield passed(subject, f"A message arrives; version {version}.")
