"""`raglive doctor`: check the installation, connection by connection."""

from __future__ import annotations

from typing import Annotated

import typer

from raglive.app.doctor.checks import Finding
from raglive.app.doctor.examination import examine
from raglive.cli.running import Json, load_settings, run
from raglive.cli.terminal import print_json, print_line

__all__ = ["doctor"]

_MARKS = {
    "passed": ("✓", typer.colors.GREEN),
    "warning": ("!", typer.colors.YELLOW),
    "failed": ("✗", typer.colors.RED),
}


def doctor(
    as_json: Json = False,
    url: Annotated[
        str | None,
        typer.Option(
            help="Address of the page, as browsers open it through a proxy; by default "
            "RAGLIVE_STATUS_URL, or https and the names of RAGLIVE_ALLOWED_HOSTS."
        ),
    ] = None,
) -> None:
    """Check database, servers, folders and limits. The exit status is 1 when a check fails."""
    settings = load_settings()
    findings: list[Finding] = []

    async def check() -> None:
        findings.extend(await examine(settings, url))

    run(check, as_json=as_json)
    works = all(finding.state != "failed" for finding in findings)
    if as_json:
        body = {"ok": works, "findings": [finding.wire() for finding in findings]}
        print_json(body, indent=True)
    else:
        for finding in findings:
            mark, colour = _MARKS[finding.state]
            print_line(f"{mark} {finding.subject}: {finding.message}", colour=colour)
    if not works:
        raise typer.Exit(1)
