"""Every error code as the reference shows it."""

from __future__ import annotations

import typing

from tools.reference_tables import code, table

from raglive.extraction.errors import SkipCode
from raglive.http_api.responses import status_of
from raglive.sources.google_drive.refusals import REFUSALS as GOOGLE_REFUSALS
from raglive.sources.google_drive.refusals import Refusal
from raglive_contract.error_advice import WHAT_TO_DO, WHILE_WAITING
from raglive_contract.errors import REFUSALS, ErrorCode

__all__ = ["MEANINGS", "failures", "google_refusals", "refusals", "skips"]

SKIPS = {
    *typing.get_args(SkipCode),
    *(it.code for it in GOOGLE_REFUSALS.values() if it.state == "skipped"),
}

MEANINGS = {
    ErrorCode.INVALID_REQUEST: (
        "The request does not have the expected shape.",
        "Correct what the message names.",
    ),
    ErrorCode.INVALID_EVENT: (
        "A published event violates the contract. Nothing of its batch was stored.",
        "Correct the field that the message names, and send the whole batch again.",
    ),
    ErrorCode.UNAUTHENTICATED: (
        "There is no token, or it is not accepted.",
        "Send a token; `raglive token` makes one.",
    ),
    ErrorCode.TOKEN_EXPIRED: ("The token has expired.", "Get a new one, and connect with it."),
    ErrorCode.TOKEN_REVOKED: ("The token was revoked.", "Get a new one, and connect with it."),
    ErrorCode.FORBIDDEN: (
        "The token does not give this right.",
        "Use a token whose role and pipelines allow it.",
    ),
    ErrorCode.NOT_FOUND: (
        "There is no such address, pipeline or file, or the token may not see it.",
        "Check the name, and the token's pipelines.",
    ),
    ErrorCode.CONFLICT: (
        "The present state does not allow it, such as a second start on one data folder.",
        "Do what the message says.",
    ),
    ErrorCode.PIPELINE_MANAGED: (
        "raglive itself runs the pipeline, so that no other producer may publish to it.",
        "Publish under another `pipeline_id`.",
    ),
    ErrorCode.METHOD_NOT_ALLOWED: (
        "The address does not support this method.",
        "Use the right method.",
    ),
    ErrorCode.CURSOR_INVALID: (
        "The text is not a cursor.",
        "Send a cursor exactly as it was received.",
    ),
    ErrorCode.CURSOR_EXPIRED: (
        "The cursor belongs to another log, is ahead of it, or is too old.",
        "Read the status, and continue from its cursor.",
    ),
    ErrorCode.PAYLOAD_TOO_LARGE: ("The body is too large.", "Send less at once."),
    ErrorCode.RATE_LIMITED: ("Too many requests.", "Wait `retry_after_ms`, then try again."),
    ErrorCode.LIMIT_REACHED: (
        "The maximum of connections, subscriptions or pipelines is reached.",
        "Use fewer, or raise the setting that the message names.",
    ),
    ErrorCode.HOST_NOT_ALLOWED: (
        "The request is addressed to an unknown host name.",
        "Add the name to `RAGLIVE_ALLOWED_HOSTS`.",
    ),
    ErrorCode.ORIGIN_NOT_ALLOWED: (
        "A page of another origin may not connect.",
        "Add the origin to `SOCKET_IO_CORS_ORIGIN`.",
    ),
    ErrorCode.TOO_SLOW: ("The client takes too long.", "Connect again, with the cursor."),
    ErrorCode.IDLE: (
        "The connection watched nothing and asked for nothing for a long time.",
        "Connect again when there is something to do.",
    ),
    ErrorCode.UNAVAILABLE: (
        "The database does not answer, or the server is not ready.",
        "Try again after `retry_after_ms`.",
    ),
    ErrorCode.INTERNAL: (
        "An unexpected error.",
        "Look in the server's log for the `request_id`, and report it.",
    ),
}


def refusals() -> str:
    """Return the codes of refusals over HTTP and Socket.IO."""
    return table(
        ("Code", "HTTP status", "Meaning", "What to do"),
        [
            (code(it), str(status_of(it)), *MEANINGS.get(it, ("", "")))
            for it in ErrorCode
            if it in REFUSALS
        ],
    )


def failures() -> str:
    """Return the codes of files that failed."""
    codes = [it for it in WHAT_TO_DO if it not in SKIPS]
    rows = [(code(it), WHAT_TO_DO[it], WHILE_WAITING.get(it, "")) for it in codes]
    return table(("Code", "What to do", "While the file waits for its next attempt"), rows)


def skips() -> str:
    """Return the codes of files that were skipped."""
    codes = [it for it in WHAT_TO_DO if it in SKIPS]
    return table(("Code", "What to do"), [(code(it), WHAT_TO_DO[it]) for it in codes])


def google_refusals() -> str:
    """Return Google's reasons, and what each becomes."""
    rows = [
        (code(reason), it.state, code(it.code), _pause(it), it.advice)
        for reason, it in GOOGLE_REFUSALS.items()
    ]
    return table(("Google's reason", "The file is", "Code", "Asked again", "What to do"), rows)


def _pause(refusal: Refusal) -> str:
    if refusal.wait_seconds:
        return f"every {refusal.wait_seconds / 60:.0f} minutes"
    return "after growing pauses" if refusal.retryable else ""
