"""Redaction: a redacted viewer sees the states of files, but neither their names nor their content.

The fields that may be seen are listed; all others are withheld, also those that are added later.
Identities of events, order and counts are kept, so that the digest stays the same.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from raglive_contract.file_errors import what_to_do

__all__ = ["WITHHELD", "Redaction"]

Shape = dict[str, Any]

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
_FAILURE = frozenset(["state", "stage", "count", "retryable", "next_attempt_at"])
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

    def event(self, event: Mapping[str, Any]) -> Shape:
        """Mask an event, also a summary."""
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

    def status(self, status: Mapping[str, Any]) -> Shape:
        """Mask a `pipeline:status`."""
        shown = _only(status, _STATUS) | _holding_up(status)
        for files in ("files_processing", "files_completed", "files_failed"):
            shown[files] = [self._entry(file, status["pipeline_id"]) for file in status[files]]
        return shown

    def row(self, row: Mapping[str, Any], pipeline_id: str) -> Shape:
        """Mask a row of a file listing."""
        shown = _only(row, _ROW) | self._mask(row, pipeline_id)
        shown |= {"folder": "", "url": None, "mime_type": None}
        shown["error"] = row["error"] and _error(row["error"])
        shown["reason"] = row["reason"] and _reason(row["reason"])
        return shown

    def failure(self, group: Mapping[str, Any]) -> Shape:
        """Mask a group of failures; the advice is derived from the code again."""
        code = _code(group["code"])
        advice = what_to_do(code)
        return _only(group, _FAILURE) | {"code": code, "message": WITHHELD, "what_to_do": advice}

    def _standing(self, file: Mapping[str, Any], pipeline_id: str) -> Shape:
        return _only(file, _FILE) | {"id": self._mask(file, pipeline_id)["id"]}

    def _entry(self, file: Mapping[str, Any], pipeline_id: str) -> Shape:
        shown = self._file(file, pipeline_id)
        return shown | {"error": _error(file["error"])} if "error" in file else shown

    def _file(self, file: Mapping[str, Any], pipeline_id: str) -> Shape:
        return _only(file, _FILE) | self._mask(file, pipeline_id)

    def _mask(self, file: Mapping[str, Any], pipeline_id: str) -> Shape:
        named = f"{pipeline_id}\0{file['id']}".encode("utf-8", "surrogatepass")
        mask = hmac.digest(self._key, named, "sha256").hex()[:16]
        return {"id": f"masked-{mask}", "name": f"file {mask[:6]}"}


def _only(shape: Mapping[str, Any], fields: frozenset[str]) -> Shape:
    return {name: value for name, value in shape.items() if name in fields}


def _error(error: Mapping[str, Any]) -> Shape:
    code = _code(error["code"])
    return _only(error, _ERROR) | {"type": code, "code": code, "message": WITHHELD}


def _reason(reason: Any) -> Any:
    if isinstance(reason, Mapping):
        return {"code": _code(reason["code"]), "message": WITHHELD}
    return reason if reason in _REASONS else WITHHELD


def _holding_up(holder: Mapping[str, Any]) -> Shape:
    """Mask the problem and the pause of a status, or of its changes; None means it is over."""
    return {name: _reasoned(holder[name]) for name in ("problem", "paused") if name in holder}


def _reasoned(why: Any) -> Shape | None:
    if not isinstance(why, Mapping):
        return None
    return {"code": _code(why["code"]), "message": WITHHELD, "since": why["since"]}


def _code(stated: object) -> str:
    return stated if isinstance(stated, str) and _CODE.fullmatch(stated) else WITHHELD
