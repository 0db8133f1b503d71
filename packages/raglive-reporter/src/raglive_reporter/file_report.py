"""The report of one attempt at one file, from its start to its end."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime
from typing import Any, Literal, TypedDict, Unpack

from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.states import Stage
from raglive_reporter.errors import OutboxFull, OutboxUnusable, ReporterError
from raglive_reporter.events import (
    ValidatedEvent,
    error_code_of,
    file_id_for,
    invalid_event,
    now,
    storable_text,
)
from raglive_reporter.publisher import BackgroundPublisher

__all__ = ["AttemptResults", "FailureDetails", "FileDetails", "FileReport", "Outcome", "StageName"]

log = logging.getLogger("raglive_reporter")

StageName = Stage | str
Outcome = Literal["completed", "failed", "skipped"]

_REPORTING_FAILED = (ReporterError, OutboxFull, OutboxUnusable)


class FileDetails(TypedDict, total=False):
    """Optional facts about a file; `size` in bytes.

    The `id` must be the same at each attempt: it is derived from folder and name unless given.
    Attempts are counted unless `attempt` is given.
    """

    id: str
    size: int | None
    mime_type: str | None
    folder: str
    url: str | None
    stage: StageName
    attempt: int | None


class AttemptResults(TypedDict, total=False):
    """The output of a completed attempt; `content_length` in characters."""

    chunks_created: int
    embeddings_generated: int  # defaults to `chunks_created`
    content_length: int


class FailureDetails(TypedDict, total=False):
    """Optional facts about a failure."""

    error_type: str
    retryable: bool
    next_attempt_at: datetime | None


class FileReport:
    """Reports one attempt; its calls block until the event is on disk, and are thread-safe."""

    def __init__(self, publisher: BackgroundPublisher, name: str, details: FileDetails) -> None:
        self._publisher = publisher
        self.name = storable_text(name)
        self.file_id = file_id_for(name, details.get("id", ""), details.get("folder", ""))
        self._details = details
        self._stage = _stage(details.get("stage", Stage.EXTRACTION))
        self._attempt: int | None = None
        self._outcome: Outcome | None = None
        self._fraction = 0.0
        self._started_at = now()
        self._stage_started = self._clock_started = time.monotonic()
        self._durations: dict[Stage, float] = {}
        self._lock = threading.RLock()

    @property
    def attempt(self) -> int:
        """The number of the attempt, from 1. Raises `reporter_misused` before the start."""
        if self._attempt is None:
            raise ReporterError(f"{self.name}: call start() first, or use `with`.")
        return self._attempt

    @property
    def outcome(self) -> Outcome | None:
        """How the attempt ended; `None` while it runs."""
        return self._outcome

    def start(self) -> None:
        """Queue `file:processing`."""
        with self._lock:
            if self._attempt is not None:
                raise ReporterError(f"{self.name}: this attempt is already started.")
            self._started_at = now()
            self._stage_started = self._clock_started = time.monotonic()
            self._attempt = self._publisher.put_attempt(
                self.file_id, self._details.get("attempt"), self._processing
            )

    def progress(self, fraction: float, stage: StageName | None = None) -> None:
        """Show which fraction is done, 0 to 1; ignored after the end of the attempt."""
        with self._lock:
            if self._outcome is not None:
                return
            if stage is not None:
                self._enter(_stage(stage))
            event = self._publisher.factory.create(
                "file:progress",
                file={"id": self.file_id, "name": self.name},
                processing_stage=self._stage,
                progress=fraction,
                attempt=self.attempt,
            )
            self._fraction = fraction
            self._publisher.show((self.file_id, self.attempt), event)

    def enter(self, stage: StageName) -> None:
        """Show the start of another stage; the fraction stays."""
        self.progress(self._fraction, stage)

    def complete(self, **results: Unpack[AttemptResults]) -> None:
        """Queue `file:completed`; commit the index first."""
        made = {"chunks_created": 0, "content_length": 0, **results}
        made.setdefault("embeddings_generated", made["chunks_created"])
        took = round(time.monotonic() - self._clock_started, 4)
        self._end(
            "completed",
            file=self._wire(completed_at=now()),
            results=made | {"processing_duration": took},
        )

    def fail(self, code: str, message: str, **details: Unpack[FailureDetails]) -> None:
        """Queue `file:failed`."""
        error = {
            "type": storable_text(details.get("error_type", "Error"), 128),
            "code": code,
            "message": storable_text(message),
            "stage": self._stage,
            "retryable": details.get("retryable", False),
            "next_attempt_at": details.get("next_attempt_at"),
        }
        self._end("failed", file=self._wire(failed_at=now()), error=error)

    def skip(self, code: str, message: str) -> None:
        """Queue `file:skipped`: the file holds nothing to index, which is not a failure."""
        reason = {"code": code, "message": storable_text(message)}
        self._end("skipped", file=self._wire(skipped_at=now()), reason=reason)

    def leave(self, error: BaseException | None) -> bool:
        """End the attempt if it has not ended: completed, or failed with `error`.

        Returns whether the failure was queued. It was not when the attempt had already ended, or
        when the reporter itself failed; the latter is logged.
        """
        with self._lock:
            if self._outcome is not None:
                return False
            if error is None:
                self.complete()
                return False
            try:
                self._fail_with(error)
            except RagliveError as reporting_error:  # the caller's own error matters more
                log.error(  # noqa: TRY400 - the trace belongs to the caller's error
                    "the failure of %s is not reported: %s", self.name, reporting_error
                )
                return False
            finally:
                self._publisher.progress.end((self.file_id, self.attempt))
            return True

    def handle(self, error: BaseException | None) -> bool:
        """End the attempt, and return whether the caller may go on with the next file.

        A failure that was queued is logged with its traceback. Interruptions, errors of the
        reporter, and errors after the end of the attempt are for the caller.
        """
        if not self.leave(error) or not isinstance(error, Exception):
            return False
        if isinstance(error, _REPORTING_FAILED):
            return False
        log.error("%s failed, and the pipeline continues", self.name, exc_info=error)
        return True

    def _fail_with(self, error: BaseException) -> None:
        is_interrupted = not isinstance(error, Exception)  # Ctrl-C, exit, cancellation
        self.fail(
            "interrupted" if is_interrupted else error_code_of(error),
            str(error) or type(error).__name__,
            error_type=type(error).__name__,
            retryable=is_interrupted or getattr(error, "retryable", False) is True,
        )

    def _end(self, outcome: Outcome, **fields: Any) -> None:
        with self._lock:
            if self._outcome is not None:
                raise RagliveError(
                    f"{self.name}: attempt {self._attempt} has already ended.",
                    code=ErrorCode.CONFLICT,
                )
            attempt = self.attempt
            stages = [
                {"stage": stage, "duration": round(seconds, 4)}
                for stage, seconds in self._durations_so_far().items()
            ]
            event = self._publisher.factory.create(
                f"file:{outcome}", **fields, attempt=attempt, stages=stages
            )
            self._publisher.put(event)
            self._outcome = outcome
            self._publisher.progress.end((self.file_id, attempt))

    def _processing(self, attempt: int) -> ValidatedEvent:
        return self._publisher.factory.create(
            "file:processing",
            file=self._wire(),
            processing_stage=self._stage,
            attempt=attempt,
        )

    def _wire(self, **when: str) -> dict[str, Any]:
        details = self._details
        return {
            "id": self.file_id,
            "name": self.name,
            "size": details.get("size"),
            "mime_type": details.get("mime_type"),
            "folder": storable_text(details.get("folder", "")) or None,
            "url": details.get("url"),
            "started_at": self._started_at,
            **when,
        }

    def _enter(self, stage: Stage) -> None:
        if stage is not self._stage:
            self._durations = self._durations_so_far()
            self._stage, self._stage_started = stage, time.monotonic()

    def _durations_so_far(self) -> dict[Stage, float]:
        present = self._durations.get(self._stage, 0.0) + time.monotonic() - self._stage_started
        return self._durations | {self._stage: present}


def _stage(name: StageName) -> Stage:
    try:
        return Stage(name)
    except ValueError:
        stages = ", ".join(Stage)
        raise invalid_event(f"{name!r} is not a stage. The stages are {stages}.") from None
