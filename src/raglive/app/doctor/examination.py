"""All checks that apply to an installation, with the settings of the environment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from raglive.app.doctor.checks import Check, Finding, failed, run_checks, warned
from raglive.app.doctor.database import check_database
from raglive.app.doctor.machine import (
    check_embedding,
    check_folders,
    check_limits,
    check_sandbox,
)
from raglive.app.doctor.servers import (
    check_bus,
    check_dashboard,
    check_public_address,
    check_status_server,
    public_urls,
)
from raglive.app.installation import Installation, find_installation
from raglive.local_stack.data_folder import running_stacks
from raglive.settings import Settings
from raglive_contract.errors import RagliveError

__all__ = ["examine"]

_INSTALLATION = "installation"


async def examine(settings: Settings, page_url: str | None = None) -> list[Finding]:
    """Run every check; an installation that is not found is a finding too.

    `page_url` is the page's address as browsers open it; by default, what the settings tell.
    """
    checks: dict[str, Check] = {}
    try:
        installation = find_installation(settings)
    except RagliveError as error:
        checks[_INSTALLATION] = partial(_not_found, error.message)
    else:
        checks |= _checks_of(installation, page_url)
    running = running_stacks(settings.data_dir)
    data = running[0][0].path if len(running) == 1 else settings.data_dir
    watched = Path(running[0][1].folder) if len(running) == 1 else settings.watch_directory
    checks["folders"] = partial(check_folders, data, watched)
    checks["limits"] = partial(check_limits, settings)
    checks["extraction"] = partial(check_sandbox, settings)
    checks["embedding"] = partial(check_embedding, settings)
    return await run_checks(checks)


def _checks_of(installation: Installation, page_url: str | None) -> dict[str, Check]:
    settings = installation.settings
    public = [page_url] if page_url else public_urls(settings)
    checks: dict[str, Check] = {
        "database": partial(check_database, installation.dsn),
        "status server": partial(check_status_server, installation),
        "dashboard": partial(check_dashboard, installation, public),
    }
    if settings.redis_url is not None:
        checks["Redis"] = partial(check_bus, settings)
    for url in public:
        checks[f"public address {url}"] = partial(check_public_address, installation, url)
    if settings.status_url and not public:
        checks["public address"] = _unknown_address
    return checks


async def _unknown_address() -> AsyncIterator[Finding]:
    yield warned(
        "public address",
        "It is not known, so the proxy is not checked. Name the hosts that browsers use in "
        "RAGLIVE_ALLOWED_HOSTS, or the page's address with --url.",
    )


async def _not_found(message: str) -> AsyncIterator[Finding]:
    yield failed(_INSTALLATION, message)
