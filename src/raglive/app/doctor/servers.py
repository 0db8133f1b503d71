"""Checks of the two servers: from this machine, and by the address that browsers use."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
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

__all__ = [
    "check_bus",
    "check_dashboard",
    "check_public_address",
    "check_status_server",
    "public_urls",
]

ANSWER_SECONDS = 5.0
TOKEN_SECONDS = 60
_INTERNAL = "RAGLIVE_STATUS_INTERNAL_URL"
_HANDSHAKE = {"EIO": "4", "transport": "polling"}


async def check_status_server(installation: Installation) -> AsyncIterator[Finding]:
    """Check the status server at the address that servers use."""
    url = installation.settings.internal_status_url
    subject = f"status server at {url}"
    async with _client() as client:
        try:
            answer = await client.get(f"{url.rstrip('/')}/health")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            yield failed(
                subject,
                f"It does not answer ({type(error).__name__}). Start it, or correct {_INTERNAL}.",
            )
            return
    try:
        health = ServerHealth.model_validate_json(answer.content)
    except ValueError:
        yield failed(
            subject,
            f"/health is answered with {answer.status_code}, and not by the status server. Correct "
            f"{_INTERNAL}.",
        )
        return
    yield passed(subject, f"/health says {health.status}, raglive {health.version}.")
    pages = public_urls(installation.settings) or [_dashboard_url(installation.settings)]
    async for finding in _check_socket(subject, installation, url, _origin_of(pages[0])):
        yield finding


async def check_public_address(installation: Installation, url: str) -> AsyncIterator[Finding]:
    """Check Socket.IO where browsers find it: through the proxy, with its name and certificate."""
    subject = f"public address {url}"
    try:
        async for finding in _check_socket(subject, installation, url, _origin_of(url)):
            yield finding
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # only browsers need to reach it
        yield warned(
            subject,
            f"It cannot be reached from this machine ({type(error).__name__}: {error}). Check it "
            "from a browser's machine, or correct the name, the port or the certificate. "
            "SSL_CERT_FILE names a certificate authority of your own, --url another address.",
        )


def public_urls(settings: Settings) -> list[str]:
    """Return the addresses that browsers use, as far as the settings tell."""
    if settings.status_url is None:
        return []
    if settings.status_url != WITH_THE_PAGE:
        return [settings.status_url]
    names = [name for name in settings.allowed_hosts if "*" not in name]
    hosts = [f"[{name}]" if ":" in name else name for name in names]
    return [f"https://{host}{settings.base_path}" for host in hosts]


async def _check_socket(
    subject: str, installation: Installation, url: str, page: str
) -> AsyncIterator[Finding]:
    """Make a handshake from `page`, an origin, and a round trip with a token. Raises HTTPError."""
    address = status_server_address(installation.settings)
    path = urlsplit(url).path.rstrip("/") + address.socket_path
    async with _client() as client:
        where = f"{_origin_of(url)}{path}/"
        answer = await client.get(where, params=_HANDSHAKE, headers={"Origin": page})
    if answer.status_code == httpx.codes.FORBIDDEN:
        yield failed(subject, f"Pages of {page} may not connect. Add it to SOCKET_IO_CORS_ORIGIN.")
        return
    if not (answer.is_success and b'"sid"' in answer.content):
        yield failed(
            subject,
            f"{path}/ is answered with {answer.status_code}, and not by the status server. Route "
            "it there in the proxy, or correct RAGLIVE_STATUS_URL.",
        )
        return
    yield passed(subject, f"Pages of {page} may connect.")
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


async def check_dashboard(
    installation: Installation, public: Sequence[str]
) -> AsyncIterator[Finding]:
    """Check the dashboard server, also by the names of the `public` addresses."""
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
        for host in dict.fromkeys(urlsplit(each).netloc for each in public):
            answer = await client.get(f"{url}/api/health", headers=headers | {"Host": host})
            if answer.status_code == httpx.codes.MISDIRECTED_REQUEST:
                message = f"It refuses the name {host}. Add it to RAGLIVE_ALLOWED_HOSTS."
                yield failed(subject, message)
            else:
                yield passed(subject, f"It answers to the name {host}.")
    if public:
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
    trusted = ssl.create_default_context()  # of the system, or of SSL_CERT_FILE
    return httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False, verify=trusted)


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
