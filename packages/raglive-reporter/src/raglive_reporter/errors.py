"""What a reporter refuses, said so that it can be mended."""

from __future__ import annotations

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["OutboxFull", "OutboxUnusable", "ReporterError", "invalid_event"]


class ReporterError(RagliveError):
    """The reporter is not set up, or not used, as it must be."""

    code = "reporter_misused"


class OutboxFull(RagliveError):
    """No room for another event: the server has not taken any for long. It was not queued."""

    code = "outbox_full"
    retryable = True


class OutboxUnusable(RagliveError):
    """The outbox cannot be read or written."""

    code = "outbox_unusable"


def invalid_event(message: str) -> RagliveError:
    """Return the error for an event that breaks the contract."""
    return RagliveError(message, code=ErrorCode.INVALID_EVENT)
