"""`raglive doctor`: check the installation, connection by connection."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from raglive.app.doctor.checks import Finding
from raglive.app.doctor.examination import examine
from raglive.app.doctor.google_drive import examine_google_drive
from raglive.cli.running import Json, load_settings, run
from raglive.cli.terminal import print_json, print_line

__all__ = ["doctor"]

_MARKS = {
    "passed": ("✓", typer.colors.GREEN),
    "warning": ("!", typer.colors.YELLOW),
    "failed": ("✗", typer.colors.RED),
}


class Part(StrEnum):
    """A part of the installation with checks of its own."""

    GOOGLE_DRIVE = "google-drive"


def doctor(
    part: Annotated[
        Part | None,
        typer.Argument(
            help="`google-drive`: check credentials, clock and quota, and read from each watched "
            "folder. By default, everything else is checked."
        ),
    ] = None,
    as_json: Json = False,
    url: Annotated[
        str | None,
        typer.Option(
            help="Address of the page, as browsers open it through a proxy; by default "
            "RAGLIVE_STATUS_URL, or https and the names of RAGLIVE_ALLOWED_HOSTS."
        ),
    ] = None,
) -> None:
    """Check the installation, or a part of it. The exit status is 1 when a check fails."""
    settings = load_settings()
    findings: list[Finding] = []

    async def check() -> None:
        findings.extend(
            await examine(settings, url) if part is None else await examine_google_drive(settings)
        )

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
