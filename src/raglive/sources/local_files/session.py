"""Looking at the folder and writing down what was found, from one start to the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from raglive.sources.local_files.hints import HintSource
from raglive.sources.local_files.ignore import IgnoreRules
from raglive.sources.local_files.inspection import Findings, Inspection
from raglive.sources.local_files.ledger import Ledger
from raglive.sources.local_files.problems import problem_in, silent, unavailable
from raglive.sources.local_files.root import WatchState
from raglive_contract.errors import RagliveError

__all__ = ["Session"]

log = structlog.get_logger()

SILENCE_SECONDS = 30.0  # after which a file system that does not answer is a problem

Hinted = Mapping[str, bool | None]


class Session:
    """What one run of the watcher, or one check, has in hand."""

    def __init__(
        self, folder: Path, ledger: Ledger, inspection: Inspection, state: WatchState
    ) -> None:
        self.inspection = inspection
        self.state = state
        self._folder = folder
        self._ledger = ledger
        self._too_long: set[str] = set()
        self._reported: str | None = None

    @classmethod
    async def begin(
        cls, folder: Path, rules: IgnoreRules, ledger: Ledger, hints: HintSource | None
    ) -> Session:
        """Read what is known; raise `DatabaseUnavailable` when it cannot be."""
        inspection = Inspection(folder, rules, hints, await ledger.load())
        return cls(folder, ledger, inspection, await ledger.state())

    async def everything(self, hinted: Hinted) -> Findings:
        """Bring the registry to what the whole folder holds.

        Raises `FolderUnavailable` or `DatabaseUnavailable`; either way nothing is deleted wrongly.
        """
        self.state = await self._ledger.state()
        state = self.state
        findings = await self._look(lambda: self.inspection.of_everything(hinted, state))
        await self._ledger.write(findings.difference, self.inspection.known)
        await self._settle_state(findings)
        await self._ledger.publish(problem_in(findings, self._folder))
        self._log(findings)
        return findings

    async def places(self, hinted: Hinted) -> Findings:
        """Bring the registry to what these places hold, and what had to wait; raises likewise."""
        state = self.state
        findings = await self._look(lambda: self.inspection.of_places(hinted, state))
        await self._ledger.write(findings.difference, self.inspection.known)
        if findings.held:
            await self._ledger.publish(problem_in(findings, self._folder))
        return findings

    async def report_unavailable(self, error: RagliveError) -> None:
        """Say that the folder is not there."""
        if error.message != self._reported:
            log.warning("watch_location_unavailable", message=error.message)
            self._reported = error.message
        await self._ledger.publish(unavailable(error))

    @property
    def is_troubled(self) -> bool:
        """Say whether somebody is to do something, so that it is worth looking often."""
        return self.state.deletions_approved or not self.inspection.is_certain

    async def _settle_state(self, findings: Findings) -> None:
        certain = self.inspection.is_certain and not findings.held
        wanted = WatchState(findings.root, deletions_approved=False)
        if wanted != self.state and (certain or self.state.root is None):
            await self._ledger.keep(wanted)
            self.state = wanted

    async def _look(self, look: Callable[[], Findings]) -> Findings:
        """Look in a thread; say so when the file system does not answer."""
        scanner, steps = self.inspection.scanner, -1
        looking = asyncio.create_task(asyncio.to_thread(look))
        try:
            while not (await asyncio.wait({looking}, timeout=SILENCE_SECONDS))[0]:
                if scanner.steps == steps:
                    log.warning("watch_location_silent", folder=str(self._folder))
                    await self._ledger.publish(silent(self._folder))
                steps = scanner.steps
            return looking.result()
        finally:
            if not looking.done():
                scanner.stop()
                looking.cancel()

    def _log(self, findings: Findings) -> None:
        self._reported = None
        for location in sorted(findings.too_long - self._too_long):
            log.warning("path_too_long", location=location)
        self._too_long = findings.too_long
