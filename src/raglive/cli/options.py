"""Options that several commands take."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["Json", "Parent", "Pipeline"]

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Pipeline = Annotated[str | None, typer.Option(help="Only this pipeline.")]
Parent = Annotated[int | None, typer.Option(hidden=True, help="End when this process is gone.")]
