"""Runs the crash programs, which kill their work at each of its steps."""

from __future__ import annotations

import asyncio
import sys

__all__ = ["deaths"]


async def deaths(program: str, *arguments: str) -> tuple[list[str], str]:
    """Run a program of this folder; return the lines of its output, and the end of its errors."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"tests.integration.ingest.{program}", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    errors = err.decode()[-3000:]
    assert process.returncode == 0, errors
    return out.decode().splitlines(), errors
