from __future__ import annotations

import asyncio

import pytest

from raglive.store import pool
from raglive.store.errors import TRANSIENT
from raglive.store.pool import Database

UPDATE = "UPDATE raglive.pipelines SET is_removing = is_removing"
OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'raglive hung' AND state LIKE 'idle in%'
"""


@pytest.mark.usefixtures("pipeline")
async def test_a_transaction_that_hangs_is_ended_and_blocks_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "IDLE_TRANSACTION_SECONDS", 0.2)
    hung = await Database.connect(database.dsn, name="hung", max_size=1)

    async def wait_in_a_transaction() -> None:
        async with hung.transaction() as connection:
            await connection.execute(UPDATE)
            while await database.fetchval(OTHERS):
                await asyncio.sleep(0.02)
            await connection.execute(UPDATE)

    async with asyncio.timeout(15):
        with pytest.raises(TRANSIENT):
            await wait_in_a_transaction()
        assert await database.execute(UPDATE) == "UPDATE 1"
        assert await hung.execute(UPDATE) == "UPDATE 1"
    await hung.close()
