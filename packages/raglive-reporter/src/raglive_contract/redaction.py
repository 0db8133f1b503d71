"""Redaction: a redacted viewer sees the states of files, but neither their names nor their content.

The fields that may be seen are listed; all others are withheld, also those that are added later.
Ids, order and counts of events are unchanged, so that the digest stays the same.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import TypeVar, cast

from raglive_contract.error_advice import what_to_do
from raglive_contract.wire import (
    WireCompletedEntry,
    WireCompletedFile,
    WireDeletedFile,
    WireEvent,
    WireFailedEntry,
    WireFailedFile,
    WireFailureGroup,
    WireFileError,
    WireFileRef,
    WireFileRow,
    WireFileStanding,
    WirePipelineStatus,
    WireProcessingEntry,
    WireProcessingFile,
    WireSkippedFile,
    WireSkipReason,
)

__all__ = ["WITHHELD", "Redaction"]

Shape = dict[str, object]
Event = TypeVar("Event", bound=WireEvent)
File = (
    WireFileRef
    | WireProcessingFile
    | WireCompletedFile
    | WireFailedFile
    | WireSkippedFile
    | WireDeletedFile
    | WireProcessingEntry
    | WireCompletedEntry
    | WireFailedEntry
)

WITHHELD = "(withheld)"

_EVENT = frozenset(
    [
        "id",
        "type",
        "pipeline_id",
        "pipeline_type",
        "timestamp",
        "seq",
        "cursor",
        "status",
        "started_at",
        "check_interval",
        "shutdown_at",
        "processing_stage",
        "estimated_duration",
        "attempt",
        "progress",
        "results",
        "success",
        "stages",
        "uptime",
        "memory_usage",
        "active_files",
        "head_seq",
        "digest",
        "last_check_time",
        "next_check_time",
        "is_checking",
        "counts",
        "throughput",
    ]
)
_STATUS = frozenset(
    [
        "pipeline_id",
        "pipeline_type",
        "status",
        "started_at",
        "last_heartbeat",
        "last_check_time",
        "next_check_time",
        "check_interval",
        "seconds_until_next_check",
        "is_checking",
        "last_activity",
        "total_processed",
        "total_failed",
        "counts",
        "cursor",
        "digest",
    ]
)
_FILE = frozenset(
    [
        "size",
        "started_at",
        "completed_at",
        "failed_at",
        "skipped_at",
        "deleted_at",
        "processing_stage",
        "progress",
        "attempt",
        "results",
        "standing",
        "moved_at",
    ]
)
_ROW = _FILE | frozenset(["state", "first_seen_at", "finished_at", "updated_at", "next_attempt_at"])
_ERROR = frozenset(["stage", "retryable", "next_attempt_at"])
_REASONS = frozenset({"normal_shutdown", "error", "timeout", "removed", "trashed", "moved_out"})
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)


class Redaction:
    """Masks objects in their wire form for redacted viewers.

    A file keeps its mask as long as the secret stays the same. Without the secret, a guessed file
    id cannot be matched with a mask.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = sha256(b"raglive redaction" + secret).digest()

    def event(self, event: Event) -> Event:
        """Mask an event, also a summary."""
        return cast("Event", self._event(event))  # what is left out is optional in the shape

    def status(self, status: WirePipelineStatus) -> WirePipelineStatus:
        """Mask a `pipeline:status`."""
        shown = _only(status, _STATUS) | _holding_up(status)
        pipeline_id = status["pipeline_id"]
        shown["files_processing"] = [
            self._file(file, pipeline_id) for file in status["files_processing"]
        ]
        shown["files_completed"] = [
            self._file(file, pipeline_id) for file in status["files_completed"]
        ]
        shown["files_failed"] = [
            self._file(file, pipeline_id) | {"error": _error(file["error"])}
            for file in status["files_failed"]
        ]
        return cast("WirePipelineStatus", shown)  # what is left out is optional in the shape

    def row(self, row: WireFileRow, pipeline_id: str) -> WireFileRow:
        """Mask a row of a file listing."""
        shown = _only(row, _ROW) | self._mask(row["id"], pipeline_id)
        shown |= {"folder": "", "url": None, "mime_type": None}
        shown["error"] = row["error"] and _error(row["error"])
        shown["reason"] = row["reason"] and _reason(row["reason"])
        return cast("WireFileRow", shown)  # each field is in `_ROW` or replaced here

    def failure(self, group: WireFailureGroup) -> WireFailureGroup:
        """Mask a group of failures; the advice is derived from the code again."""
        code = _code(group["code"])
        return {
            "state": group["state"],
            "code": code,
            "stage": group["stage"],
            "count": group["count"],
            "message": WITHHELD,
            "is_common": True,
            "retryable": group["retryable"],
            "next_attempt_at": group["next_attempt_at"],
            "what_to_do": what_to_do(code, is_waiting=group["state"] == "waiting"),
        }

    def _event(self, event: WireEvent) -> Shape:
        shown = _only(event, _EVENT)
        if "file" in event:
            shown["file"] = self._file(event["file"], event["pipeline_id"])
        if "error" in event:
            shown["error"] = _error(event["error"])
        if "reason" in event:
            shown["reason"] = _reason(event["reason"])
        if "watch_location" in event:
            shown["watch_location"] = WITHHELD
        if "changes" in event:
            shown["changes"] = _holding_up(event["changes"])
        if "failures" in event:
            shown["failures"] = [self.failure(group) for group in event["failures"]]
        if "standings" in event:
            pipeline_id = event["pipeline_id"]
            shown["standings"] = [self._standing(file, pipeline_id) for file in event["standings"]]
        if "current_status" in event:
            shown["current_status"] = self.status(event["current_status"])
        return shown

    def _standing(self, file: WireFileStanding, pipeline_id: str) -> WireFileStanding:
        return {
            "id": self._mask(file["id"], pipeline_id)["id"],
            "standing": file["standing"],
            "moved_at": file["moved_at"],
        }

    def _file(self, file: File, pipeline_id: str) -> Shape:
        return _only(file, _FILE) | self._mask(file["id"], pipeline_id)

    def _mask(self, file_id: str, pipeline_id: str) -> WireFileRef:
        named = f"{pipeline_id}\0{file_id}".encode("utf-8", "surrogatepass")
        mask = hmac.digest(self._key, named, "sha256").hex()[:16]
        return {"id": f"masked-{mask}", "name": f"file {mask[:6]}"}


def _only(shape: Mapping[str, object], fields: frozenset[str]) -> Shape:
    return {name: value for name, value in shape.items() if name in fields}


def _error(error: WireFileError) -> Shape:
    code = _code(error["code"])
    return _only(error, _ERROR) | {"type": code, "code": code, "message": WITHHELD}


def _reason(reason: WireSkipReason | str) -> WireSkipReason | str:
    if not isinstance(reason, str):
        return {"code": _code(reason["code"]), "message": WITHHELD}
    return reason if reason in _REASONS else WITHHELD


def _holding_up(holder: Mapping[str, object]) -> Shape:
    """Mask the problem and the pause of a status, or of its changes; None means it is over."""
    return {name: _reasoned(holder[name]) for name in ("problem", "paused") if name in holder}


def _reasoned(why: object) -> Shape | None:
    if not isinstance(why, Mapping):
        return None
    return {"code": _code(why["code"]), "message": WITHHELD, "since": why["since"]}


def _code(stated: object) -> str:
    return stated if isinstance(stated, str) and _CODE.fullmatch(stated) else WITHHELD
