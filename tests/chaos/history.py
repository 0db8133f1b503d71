"""Records what producers got acknowledged and what viewers received, in order.

Consecutive events of one log that a viewer received are merged into a run, with the digest that the
viewer computed. A run ends at a gap, and when another entry of the viewer is added.
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

__all__ = ["Acknowledged", "Checkpoint", "Entry", "History", "Run", "Violation"]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The server acknowledged that these new events of a producer are committed."""

    producer: int
    pipeline_id: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The position that a server stated to a viewer: at its start and after each reconnection."""

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
class Violation:
    """A viewer received something that the contract forbids."""

    viewer: int
    what: str


Entry = Acknowledged | Checkpoint | Run | Violation


@dataclass
class History:
    """All entries; `save` writes one per line."""

    entries: list[Entry] = field(default_factory=list)
    deliveries: int = 0
    _grown: asyncio.Event = field(default_factory=asyncio.Event)
    _running: dict[tuple[int, str], Run] = field(default_factory=dict)

    def note(self, entry: Entry) -> None:
        """Add an entry, which ends the runs of its viewer."""
        if not isinstance(entry, Acknowledged):
            for key in [key for key in self._running if key[0] == entry.viewer]:
                del self._running[key]
        self.entries.append(entry)

    def receive(self, checkpoint: Checkpoint, event: dict[str, Any]) -> Checkpoint:
        """Record an event that a viewer received; return the checkpoint after it."""
        self.deliveries += 1
        self._grown.set()
        seq = event["seq"]
        digest = roll(bytes.fromhex(checkpoint.digest), UUID(event["id"]), seq).hex()
        key = (checkpoint.viewer, checkpoint.pipeline_id)
        run = self._running.get(key)
        if run is not None and seq == run.last + 1 and checkpoint.epoch == run.epoch:
            run.last, run.digest = seq, digest
        else:
            run = Run(*key, checkpoint.epoch, seq, seq, digest)
            self._running[key] = run
            self.entries.append(run)
        return Checkpoint(*key, checkpoint.epoch, seq, digest)

    async def grown(self) -> None:
        """Wait for the next delivery, at most a second."""
        self._grown.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self._grown.wait()

    def of_viewer(self, viewer: int) -> Iterator[Checkpoint | Run | Violation]:
        """Yield the entries of one viewer."""
        for entry in self.entries:
            if not isinstance(entry, Acknowledged) and entry.viewer == viewer:
                yield entry

    def acknowledged(self) -> Sequence[Acknowledged]:
        """The acknowledgements of all producers."""
        return [entry for entry in self.entries if isinstance(entry, Acknowledged)]

    def save(self, path: Path) -> None:
        """Save the entries as JSON lines."""
        lines = (json.dumps({"kind": type(e).__name__} | asdict(e)) for e in self.entries)
        path.write_text("\n".join(lines))
