"""What happened: what producers were told is committed, and what viewers received, in its order.

Events fold into runs: those that a viewer received one after the other, of one log, with the
digest that it rolled over them. A run breaks where something else is noted, or the next event does
not follow the last.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from raglive_contract.digest import roll

__all__ = ["Acknowledged", "Entry", "Fault", "History", "Run", "Stand"]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A producer was told that these events, new to the log, are committed."""

    producer: int
    pipeline_id: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stand:
    """A viewer was told where it stands: at first, and on each return."""

    viewer: int
    pipeline_id: str
    epoch: str
    seq: int
    digest: str


@dataclass(slots=True)
class Run:
    """A viewer received every event from `first` to `last`."""

    viewer: int
    pipeline_id: str
    epoch: str
    first: int
    last: int
    digest: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A viewer received what it never should."""

    viewer: int
    what: str


Entry = Acknowledged | Stand | Run | Fault


@dataclass
class History:
    """All of it; `save` writes one entry a line."""

    entries: list[Entry] = field(default_factory=list)
    deliveries: int = 0
    _grown: asyncio.Event = field(default_factory=asyncio.Event)
    _running: dict[tuple[int, str], Run] = field(default_factory=dict)

    def note(self, entry: Entry) -> None:
        """Add an entry; a viewer's runs end with it."""
        if not isinstance(entry, Acknowledged):
            for key in [key for key in self._running if key[0] == entry.viewer]:
                del self._running[key]
        self.entries.append(entry)

    def receive(self, stands: Stand, event: dict[str, Any]) -> Stand:
        """Note an event that a viewer received, and return where it stands then."""
        self.deliveries += 1
        self._grown.set()
        seq = event["seq"]
        digest = roll(bytes.fromhex(stands.digest), UUID(event["id"]), seq).hex()
        key = (stands.viewer, stands.pipeline_id)
        run = self._running.get(key)
        if run is not None and seq == run.last + 1 and stands.epoch == run.epoch:
            run.last, run.digest = seq, digest
        else:
            run = Run(*key, stands.epoch, seq, seq, digest)
            self._running[key] = run
            self.entries.append(run)
        return Stand(*key, stands.epoch, seq, digest)

    async def grown(self) -> None:
        """Wait until more is delivered, or a second: it may be time for something else."""
        self._grown.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self._grown.wait()

    def of_viewer(self, viewer: int) -> Iterator[Stand | Run | Fault]:
        """Return what one viewer was told and received."""
        for entry in self.entries:
            if not isinstance(entry, Acknowledged) and entry.viewer == viewer:
                yield entry

    def acknowledged(self) -> Sequence[Acknowledged]:
        """Return what producers were told."""
        return [entry for entry in self.entries if isinstance(entry, Acknowledged)]

    def save(self, path: Path) -> None:
        """Write it down as JSON lines."""
        lines = (json.dumps({"kind": type(e).__name__} | asdict(e)) for e in self.entries)
        path.write_text("\n".join(lines))
