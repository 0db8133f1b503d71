"""A file lent to a worker: where it lies, and only as it was when it was queued."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from raglive.database.jobs import Job
from raglive.pipeline.attempt import FileChanged, FileVanished
from raglive.pipeline.watchers.local_files.location import path_of
from raglive.pipeline.watchers.local_files.version import Version
from raglive.pipeline.watchers.local_files.volumes import Volume

__all__ = ["fetch"]

_ANY = Volume("any")  # within one place, a file system's number does not matter


@asynccontextmanager
async def fetch(folder: Path, job: Job) -> AsyncIterator[Path]:
    """Lend the path of a job's file.

    Raises `FileVanished` or `FileChanged` when the file, after it was read or could not be, is not
    the version that the registry speaks of: what was read is void, and the watcher will say more.
    """
    path = path_of(folder, job.location)
    try:
        yield path
    except Exception:
        await asyncio.to_thread(_expect, path, job)
        raise
    await asyncio.to_thread(_expect, path, job)


def _expect(path: Path, job: Job) -> None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileVanished(f"{job.name} is no longer where it was seen.") from error
    except OSError:
        return  # whoever reads it says why it cannot be read
    version = Version.kept_in(job.source)
    if version is None or not version.same_as(Version.of(status, _ANY)):
        raise FileChanged(f"{job.name} was changed while it was processed.")
