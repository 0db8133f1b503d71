"""Errors that the reporter raises in the caller's program."""

from __future__ import annotations

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["OutboxFull", "OutboxUnusable", "ReporterError"]


class ReporterError(RagliveError):
    """The reporter is configured or used incorrectly."""

    code = ErrorCode.REPORTER_MISUSED


class OutboxFull(RagliveError):
    """The outbox has no room for another event. The event was not queued."""

    code = ErrorCode.OUTBOX_FULL
    retryable = True


class OutboxUnusable(RagliveError):
    """The outbox file cannot be read or written."""

    code = ErrorCode.OUTBOX_UNUSABLE
