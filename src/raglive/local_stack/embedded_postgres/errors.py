"""Errors of the embedded database, each with what to do about it."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["AlreadyRunningError", "EmbeddedPostgresError", "advice_for", "explain_os_errors"]


class EmbeddedPostgresError(RagliveError):
    """The embedded database cannot start, or ended and cannot be restarted."""

    code = ErrorCode.UNAVAILABLE


class AlreadyRunningError(EmbeddedPostgresError):
    """Another process already runs the database of this data folder."""

    code = ErrorCode.CONFLICT

    def __init__(self, folder: Path, pid: int | None) -> None:
        holder = f"process {pid}" if pid else "another process"
        super().__init__(
            f"{holder} already runs the database in {folder}. Stop it first (it may be another "
            "`raglive up`), or use another data folder."
        )
        self.folder = folder
        self.pid = pid


_DISK_FULL = (
    "The disk that holds {folder} is full ({free} MB free). Free some space and start again."
)
_REFUSED = (
    "raglive cannot write to {folder}. Check who owns it and that its disk is mounted for "
    "writing, or use another data folder."
)
_DAMAGED = (
    "The database files below {folder} are damaged. Restore a backup of that folder, or move the "
    "folder away and start again: raglive creates a new database and indexes the documents again."
)
_UNSUITED = (
    "The bundled Postgres does not run on this machine. Set DATABASE_URL to a Postgres 15 or "
    "newer with pgvector."
)
_ADVICE = (
    (r"No space left on device|Check free disk space|Disk quota exceeded", _DISK_FULL),
    (
        r"could not bind|Address already in use",
        "Port {port} of 127.0.0.1 is in use by another program. Stop that program, or choose "
        "another port for the database.",
    ),
    (
        r"could not map anonymous shared memory|could not create shared memory|"
        r"Cannot allocate memory|out of memory",
        "There is not enough memory for the database (it needs about 200 MB). Close other "
        "programs, or raise the memory limit, and start again.",
    ),
    (r"error while loading shared libraries|GLIBC|Exec format error", _UNSUITED),
    (
        r"Permission denied|Operation not permitted|Read-only file system|wrong ownership|"
        r"invalid permissions",
        _REFUSED,
    ),
    (
        r"valid checkpoint record|pg_control|incorrect checksum|invalid page|"
        r"pg_filenode\.map|database files are incompatible",
        _DAMAGED,
    ),
)


def advice_for(output: str, folder: Path, port: int | None = None) -> str:
    """Return what to do about the output of a server that failed."""
    for pattern, advice in _ADVICE:
        if re.search(pattern, output):
            return advice.format(folder=folder, port=port or "?", free=_free_megabytes(folder))
    return f"Read its log in {folder / 'server.log'}."


@contextmanager
def explain_os_errors(folder: Path) -> Iterator[None]:
    """Turn an `OSError` into an error that names the file and says what to do."""
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        advice = (_DISK_FULL if full else _REFUSED).format(
            folder=folder, free=_free_megabytes(folder)
        )
        what = f"{error.strerror or error}: {error.filename or folder}"
        raise EmbeddedPostgresError(
            f"The embedded database cannot be used: {what}. {advice}"
        ) from error


def _free_megabytes(folder: Path) -> int | str:
    try:
        return shutil.disk_usage(folder).free // 1_000_000
    except OSError:
        return "?"
