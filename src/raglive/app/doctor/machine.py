"""Checks of this machine: folders, limits of the operating system, sandbox, embedding provider."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from raglive.app.doctor.checks import Finding, failed, passed, warned
from raglive.app.installation import revealed
from raglive.app.serving import OTHER_OPEN_FILES, open_file_limit
from raglive.embedding.openai import OPENAI_URL
from raglive.extraction.pool import ExtractorPool
from raglive.settings import Settings

__all__ = ["check_embedding", "check_folders", "check_limits", "check_sandbox"]

ANSWER_SECONDS = 5.0
LEAST_FREE_BYTES = 1 << 30
LEAST_INOTIFY_WATCHES = 65_536
_INOTIFY_WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")


async def check_folders(data: Path | None, watched: Path | None) -> AsyncIterator[Finding]:
    """Check the data folder with its disk, and the watched folder."""
    if data is not None:
        for finding in await asyncio.to_thread(_check_data_folder, data):
            yield finding
    if watched is not None:
        yield await asyncio.to_thread(_check_watched_folder, watched)


def _check_data_folder(data: Path) -> list[Finding]:
    subject = f"data folder {data}"
    if not data.is_dir():
        return [warned(subject, "It does not exist yet. `raglive up` creates it.")]
    free = shutil.disk_usage(data).free
    space = passed if free >= LEAST_FREE_BYTES else warned
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        access = failed(subject, "It cannot be written. Give its owner the right, or run as it.")
    elif data.stat().st_mode & 0o077:
        access = failed(subject, f"Other users may read its secrets. Run chmod 700 {data}.")
    else:
        access = passed(subject, "It can be written, and only its owner can read it.")
    return [access, space(subject, f"Its disk has {free / 2**30:,.1f} GiB free.")]


def _check_watched_folder(watched: Path) -> Finding:
    subject = f"watched folder {watched}"
    if not watched.is_dir():
        return failed(subject, "It does not exist. Create or mount it, or name another folder.")
    if not os.access(watched, os.R_OK | os.X_OK):
        return failed(subject, "It cannot be read. Give the user that runs raglive the right.")
    return passed(subject, "It can be read.")


async def check_limits(settings: Settings) -> AsyncIterator[Finding]:
    """Check the limits of open files and of watched folders."""
    needed = 2 * settings.max_connections + OTHER_OPEN_FILES
    limit = open_file_limit()
    if limit < needed:
        yield warned(
            "open files",
            f"At most {limit}, so the servers hold fewer than RAGLIVE_MAX_CONNECTIONS. Raise the "
            f"limit (ulimit -Hn, LimitNOFILE) to {needed}.",
        )
    else:
        yield passed("open files", f"At most {limit}; {needed} are needed.")
    watches = _inotify_watches()
    if watches is not None and watches < LEAST_INOTIFY_WATCHES:
        yield warned(
            "inotify",
            f"At most {watches} folders can be watched; the others are polled. Raise "
            "fs.inotify.max_user_watches.",
        )
    elif watches is not None:
        yield passed("inotify", f"At most {watches} folders can be watched.")


def _inotify_watches() -> int | None:
    """Return how many folders can be watched; None where there is no inotify."""
    try:
        return int(_INOTIFY_WATCHES.read_text("ascii"))
    except (OSError, ValueError):
        return None


async def check_sandbox(settings: Settings) -> AsyncIterator[Finding]:
    """Start an extraction process, and check its protections."""
    memory = settings.extraction_memory_bytes
    async with ExtractorPool(1, memory_limit_bytes=memory) as pool:
        missing = pool.sandbox()["missing"]
    if missing:
        yield warned("extraction", f"This kernel does not provide: {', '.join(missing)}.")
    else:
        yield passed("extraction", "A process for extraction starts, with every protection.")


async def check_embedding(settings: Settings) -> AsyncIterator[Finding]:
    """Check that the embedding provider accepts the key, by a request that costs nothing."""
    subject = "embedding"
    if settings.embedding_provider == "builtin":
        yield passed(subject, "The built-in model needs no provider.")
        return
    url = (settings.embedding_base_url or OPENAI_URL).rstrip("/")
    key = revealed(settings.embedding_api_key)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS) as client:
            answer = await client.get(f"{url}/models", headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        yield failed(
            subject,
            f"The provider of EMBEDDING_BASE_URL does not answer ({type(error).__name__}).",
        )
        return
    if answer.status_code in {401, 403}:
        yield failed(subject, "The provider refuses the key. Correct EMBEDDING_API_KEY.")
    elif answer.status_code >= 500:
        yield failed(subject, f"The provider answers with {answer.status_code}.")
    else:
        yield passed(subject, "The provider answers. Nothing was embedded, and nothing was spent.")
