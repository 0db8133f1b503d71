"""When a failed attempt is retried, and how its error is reported."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from raglive.ingest.progress import AttemptProgress
from raglive.store.errors import TRANSIENT
from raglive.store.registry.jobs import Job
from raglive_contract.backoff import Backoff
from raglive_contract.error_advice import OUTAGES
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.model import rfc3339
from raglive_contract.wire import WireFileError

__all__ = ["MAX_MESSAGE_CHARS", "error_body", "from_database_error", "next_attempt_at"]

FIRST_RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 900.0
MAX_MESSAGE_CHARS = 2000
MAX_TIMEOUTS = 2  # attempts at a file whose extraction takes too long; each occupies a process


def next_attempt_at(error: RagliveError, job: Job, max_tries: int) -> str | None:
    """Return the time of the next attempt (RFC 3339), None when the file is not retried.

    Outages are retried without limit, other retryable errors up to `max_tries` attempts, and an
    extraction that timed out once. The pause grows exponentially, and is never shorter than the
    error's `retry_after_ms`.
    """
    if error.code == ErrorCode.EXTRACTION_TIMEOUT:
        max_tries = min(max_tries, MAX_TIMEOUTS)
    is_limited = error.code not in OUTAGES
    if not error.retryable or (is_limited and job.failures + 1 >= max_tries):
        return None
    backoff = Backoff(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
    pause = max((error.retry_after_ms or 0) / 1000, backoff.seconds(job.tries - 1))
    return rfc3339(datetime.now(UTC) + timedelta(seconds=pause))


def error_body(error: RagliveError, progress: AttemptProgress) -> WireFileError:
    """Return the `error` object of `file:failed`, without the time of the next attempt."""
    return {
        "type": type(error).__name__,
        "code": str(error.code),
        "message": error.message[:MAX_MESSAGE_CHARS],
        "stage": progress.stage,
        "retryable": error.retryable,
    }


def from_database_error(error: BaseException) -> RagliveError:
    """Return the retryable error to report: the database is unavailable, or refuses the data."""
    if isinstance(error, TRANSIENT):
        message = f"The database was unavailable ({type(error).__name__})."
        return RagliveError(message, code=ErrorCode.DATABASE_UNAVAILABLE, retryable=True)
    message = f"The database refused the file's content ({type(error).__name__})."
    return RagliveError(message, code=ErrorCode.DATABASE_REFUSED, retryable=True)
