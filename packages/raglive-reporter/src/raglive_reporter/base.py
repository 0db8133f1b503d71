"""What every reporter is given, and what it does without when nothing is given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, TypedDict

import platformdirs

from raglive_contract.states import OfflineReason
from raglive_reporter.dead_letters import DeadLetter
from raglive_reporter.delivery import USUAL_PACE, Pace
from raglive_reporter.engine import Engine, OnFull, Options
from raglive_reporter.errors import ReporterError
from raglive_reporter.events import CheckedEvent, EventMaker, identified, now, printable
from raglive_reporter.http import HttpTransport, TokenSource
from raglive_reporter.outbox import MAX_BYTES, MAX_EVENTS, Bounds
from raglive_reporter.transport import Transport

__all__ = ["STATUS_SERVER", "BaseReporter", "GoneFile", "default_outbox", "reason_for"]

STATUS_SERVER = "http://127.0.0.1:8103"


class GoneFile(TypedDict, total=False):
    """What may be said of a file that is gone, beside its name."""

    id: str
    folder: str
    reason: Literal["removed", "trashed", "moved_out"]


class BaseReporter:
    """A reporter's settings, and the events that it makes."""

    def __init__(
        self,
        pipeline_id: str,
        *,
        pipeline_type: str,
        url: str = STATUS_SERVER,
        token: TokenSource | None = None,
        transport: Transport | None = None,
        outbox: str | Path | None = None,
        watch_location: str = "",
        check_interval: float = 0.0,
        max_events: int = MAX_EVENTS,
        max_bytes: int = MAX_BYTES,
        on_full: OnFull = "block",
        block_seconds: float = 30.0,
        close_seconds: float = 10.0,
        pace: Pace = USUAL_PACE,
    ) -> None:
        self._maker = EventMaker(pipeline_id, pipeline_type)
        self._close_seconds = close_seconds
        options = Options(
            outbox=str(outbox) if outbox is not None else default_outbox(pipeline_id),
            watch_location=watch_location,
            check_interval=check_interval,
            bounds=Bounds(max_events, max_bytes),
            on_full=on_full,
            block_seconds=block_seconds,
            pace=pace,
        )
        self._engine = Engine(self._maker, transport or _http(url, token), options)

    def dead_letters(self) -> list[DeadLetter]:
        """Return the events that were refused for good, oldest first."""
        with self._engine.dead_letters() as letters:
            return letters.list()

    def retry_dead_letters(self) -> int:
        """Have them tried again; return how many. Those that a later event has overtaken stay."""
        with self._engine.dead_letters() as letters:
            return letters.want_again()

    def discard_dead_letters(self) -> int:
        """Remove them; return how many there were."""
        with self._engine.dead_letters() as letters:
            return letters.discard()

    def _deleted(self, name: str, gone: GoneFile) -> CheckedEvent:
        file_id = identified(name, gone.get("id", ""), gone.get("folder", ""))
        file = {"id": file_id, "name": printable(name), "deleted_at": now()}
        return self._maker.make("file:deleted", file=file, reason=gone.get("reason", "removed"))

    def _update(self, changes: dict[str, Any]) -> CheckedEvent:
        return self._maker.make("status:update", changes=changes)


def default_outbox(pipeline_id: str) -> str:
    """Return the file that a pipeline's events wait in, in this user's state folder."""
    folder = Path(platformdirs.user_state_dir("raglive", appauthor=False)) / "outbox"
    return str(folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', pipeline_id)}.sqlite3")


def reason_for(error: BaseException | None) -> OfflineReason:
    """Return why a pipeline that ends so is offline; being told to stop is no error."""
    stopped = error is None or not isinstance(error, Exception)
    failed = isinstance(error, SystemExit) and error.code not in {None, 0}
    return "normal_shutdown" if stopped and not failed else "error"


def _http(url: str, token: TokenSource | None) -> Transport:
    if token is None:
        raise ReporterError("A token is needed: `raglive token --role producer` makes one.")
    return HttpTransport(url, token)
