"""How checks run: at once, each within a time limit, and none ends the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from raglive_contract.errors import RagliveError

__all__ = ["Check", "Finding", "failed", "passed", "run_checks", "warned"]

CHECK_SECONDS = 15.0

State = Literal["passed", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was checked, whether it is as it should be, and what to do otherwise."""

    subject: str
    state: State
    message: str

    def wire(self) -> dict[str, Any]:
        """Return the finding as a JSON object."""
        return asdict(self)


Check = Callable[[], AsyncIterator[Finding]]


def passed(subject: str, message: str) -> Finding:
    """Return a finding of what is as it should be."""
    return Finding(subject, "passed", message)


def warned(subject: str, message: str) -> Finding:
    """Return a finding of what works, but is worse than it should be."""
    return Finding(subject, "warning", message)


def failed(subject: str, message: str) -> Finding:
    """Return a finding of what does not work."""
    return Finding(subject, "failed", message)


async def run_checks(checks: Mapping[str, Check]) -> list[Finding]:
    """Run the checks at once, and return their findings in the order of `checks`."""
    results = await asyncio.gather(*(_run(name, check) for name, check in checks.items()))
    return [finding for findings in results for finding in findings]


async def _run(name: str, check: Check) -> list[Finding]:
    findings: list[Finding] = []
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            async for finding in check():
                findings.append(finding)  # noqa: PERF401 - those before a failure are kept
    except TimeoutError:
        findings.append(failed(name, f"The check did not end within {CHECK_SECONDS:g} s."))
    except RagliveError as error:
        findings.append(failed(name, error.message))
    except Exception as error:  # one broken check must not hide what the others find
        findings.append(failed(name, f"The check itself failed ({type(error).__name__})."))
    return findings
