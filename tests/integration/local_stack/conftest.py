from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from raglive.local_stack.embedded_postgres import EmbeddedPostgres

from .other_process import PASSWORD


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder; the first test creates its cluster, and each test stops its server."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
async def postgres(data_dir: Path) -> AsyncIterator[EmbeddedPostgres]:
    async with EmbeddedPostgres(data_dir, password=PASSWORD) as running:
        yield running
