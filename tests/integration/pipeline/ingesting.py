"""The local-files pipeline as it is wired, run once over a folder."""

from __future__ import annotations

import asyncio
from pathlib import Path

from raglive.app.local_files import run_local_files
from raglive.app.wiring import Wiring
from raglive.settings import read_settings

__all__ = ["document", "ingest"]

WORDS_PER_PARAGRAPH = 150


def document(about: str, paragraphs: int) -> str:
    """Return a text in which no two paragraphs are alike: about one chunk each."""
    return "".join(
        f"Paragraph {number} {about}. "
        + " ".join(f"w{word}{about}{number}" for word in range(WORDS_PER_PARAGRAPH))
        + ".\n\n"
        for number in range(paragraphs)
    )


async def ingest(dsn: str, folder: Path, provider_url: str, **settings: str) -> None:
    """Index what the folder holds, and return; the embedding provider is at the address."""
    environment = {
        "RUN_MODE": "single",
        "RAGLIVE_WORKERS": "1",
        "EMBEDDING_PROVIDER": "openai",
        "EMBEDDING_MODEL": "small",
        "EMBEDDING_BASE_URL": provider_url,
        **settings,
    }
    wiring = Wiring(read_settings(environment), dsn, "secret")
    await run_local_files(wiring, folder, _never())


async def _never() -> None:
    await asyncio.Event().wait()
