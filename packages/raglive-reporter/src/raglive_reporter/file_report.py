"""One attempt at one file, from its start to its end."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime
from typing import Any, TypedDict, Unpack

from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.states import Stage
from raglive_reporter.engine import Engine
from raglive_reporter.errors import ReporterError, invalid_event
from raglive_reporter.events import CheckedEvent, code_of, identified, now, printable

__all__ = ["AboutFile", "Circumstances", "FileReport", "Results", "StageName"]

log = logging.getLogger("raglive_reporter")

StageName = Stage | str


class AboutFile(TypedDict, total=False):
    """What may be said of a file beside its name; `size` in bytes.

    The id must be the same at each attempt: it is derived from folder and name unless given. The
    attempts are counted unless one is given.
    """

    id: str
    size: int | None
    mime_type: str | None
    folder: str
    url: str | None
    stage: StageName
    attempt: int | None


class Results(TypedDict, total=False):
    """What a completed attempt made; `content_length` in characters."""

    chunks_created: int
    embeddings_generated: int  # by default as many as chunks
    content_length: int


class Circumstances(TypedDict, total=False):
    """What else may be said of a failure."""

    error_type: str
    retryable: bool
    next_attempt_at: datetime | None


class FileReport:
    """Says how an attempt goes; blocking, and safe to use from any thread."""

    def __init__(self, engine: Engine, name: str, about: AboutFile) -> None:
        self._engine = engine
        self.name = printable(name)
        self.file_id = identified(name, about.get("id", ""), about.get("folder", ""))
        self._about = about
        self._stage = _stage(about.get("stage", Stage.EXTRACTION))
        self._attempt: int | None = None
        self._ended = False
        self._fraction = 0.0
        self._started_at = now()
        self._since = self._began = time.monotonic()
        self._durations: dict[Stage, float] = {}
        self._lock = threading.RLock()

    @property
    def attempt(self) -> int:
        """Return the attempt's number. Raises `reporter_misused` before the start."""
        if self._attempt is None:
            raise ReporterError(f"{self.name}: start() comes first, or `with`.")
        return self._attempt

    def start(self) -> None:
        """Queue `file:processing`."""
        with self._lock:
            if self._attempt is not None:
                raise ReporterError(f"{self.name}: this attempt was started before.")
            self._started_at = now()
            self._since = self._began = time.monotonic()
            self._attempt = self._engine.put_attempt(
                self.file_id, self._about.get("attempt"), self._processing
            )

    def progress(self, fraction: float, stage: StageName | None = None) -> None:
        """Show how much is done, 0 to 1; without effect once the attempt has ended."""
        with self._lock:
            if self._ended:
                return
            if stage is not None:
                self._enter(_stage(stage))
            event = self._engine.maker.make(
                "file:progress",
                file={"id": self.file_id, "name": self.name},
                processing_stage=self._stage,
                progress=fraction,
                attempt=self.attempt,
            )
            self._fraction = fraction
            self._engine.show((self.file_id, self.attempt), event)

    def enter(self, stage: StageName) -> None:
        """Show that another stage begins."""
        self.progress(self._fraction, stage)

    def complete(self, **results: Unpack[Results]) -> None:
        """Queue `file:completed`."""
        made = {"chunks_created": 0, "content_length": 0, **results}
        made.setdefault("embeddings_generated", made["chunks_created"])
        took = round(time.monotonic() - self._began, 4)
        self._end(
            "file:completed",
            file=self._wire(completed_at=now()),
            results=made | {"processing_duration": took},
        )

    def fail(self, code: str, message: str, **more: Unpack[Circumstances]) -> None:
        """Queue `file:failed`."""
        error = {
            "type": printable(more.get("error_type", "Error"), 128),
            "code": code,
            "message": printable(message),
            "stage": self._stage,
            "retryable": more.get("retryable", False),
            "next_attempt_at": more.get("next_attempt_at"),
        }
        self._end("file:failed", file=self._wire(failed_at=now()), error=error)

    def skip(self, code: str, message: str) -> None:
        """Queue `file:skipped`: there is nothing to index, and that is no failure."""
        reason = {"code": code, "message": printable(message)}
        self._end("file:skipped", file=self._wire(skipped_at=now()), reason=reason)

    def leave(self, error: BaseException | None) -> None:
        """End an attempt that did not say how it ended: completed, or failed with `error`."""
        with self._lock:
            if self._ended:
                return
            if error is None:
                self.complete()
                return
            try:
                self._fail_with(error)
            except RagliveError as trouble:  # the caller's own error matters more
                log.error("the failure of %s is not reported: %s", self.name, trouble)  # noqa: TRY400 - no trace
            finally:
                self._engine.latest.end((self.file_id, self.attempt))

    def _fail_with(self, error: BaseException) -> None:
        interrupted = not isinstance(error, Exception)  # Ctrl-C, exit, cancellation
        self.fail(
            "interrupted" if interrupted else code_of(error),
            str(error) or type(error).__name__,
            error_type=type(error).__name__,
            retryable=interrupted or getattr(error, "retryable", False) is True,
        )

    def _end(self, event_type: str, **fields: Any) -> None:
        with self._lock:
            if self._ended:
                raise RagliveError(
                    f"{self.name}: attempt {self._attempt} has ended before.",
                    code=ErrorCode.CONFLICT,
                )
            attempt = self.attempt
            stages = [
                {"stage": stage, "duration": round(seconds, 4)}
                for stage, seconds in self._spent().items()
            ]
            event = self._engine.maker.make(event_type, **fields, attempt=attempt, stages=stages)
            self._engine.put(event)
            self._ended = True
            self._engine.latest.end((self.file_id, attempt))

    def _processing(self, attempt: int) -> CheckedEvent:
        return self._engine.maker.make(
            "file:processing",
            file=self._wire(),
            processing_stage=self._stage,
            attempt=attempt,
        )

    def _wire(self, **when: str) -> dict[str, Any]:
        about = self._about
        return {
            "id": self.file_id,
            "name": self.name,
            "size": about.get("size"),
            "mime_type": about.get("mime_type"),
            "folder": printable(about.get("folder", "")) or None,
            "url": about.get("url"),
            "started_at": self._started_at,
            **when,
        }

    def _enter(self, stage: Stage) -> None:
        if stage is not self._stage:
            self._durations = self._spent()
            self._stage, self._since = stage, time.monotonic()

    def _spent(self) -> dict[Stage, float]:
        present = self._durations.get(self._stage, 0.0) + time.monotonic() - self._since
        return self._durations | {self._stage: present}


def _stage(name: StageName) -> Stage:
    try:
        return Stage(name)
    except ValueError:
        stages = ", ".join(Stage)
        raise invalid_event(f"{name!r} is not a stage. The stages are {stages}.") from None
