"""Cached vectors and reservations are deleted when no attempt can need them any more."""

from __future__ import annotations

import pytest

from raglive.store import retention
from raglive.store.index.vector_space import active_model
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from raglive.store.retention import delete_expired

pytestmark = pytest.mark.disagrees  # vectors are made by hand

MODELS = """
INSERT INTO raglive.embedding_models (provider, model, dimensions, active, next)
VALUES ('openai', 'former', 3, false, false), ('openai', 'following', 3, false, true)
"""
VECTORS = """
INSERT INTO raglive.cached_vectors (model_key, content_hash, embedding, made_at)
SELECT model_key, sha256(convert_to(age || n, 'UTF8')), '[1,2,3]', now() - age::interval
FROM raglive.embedding_models, unnest(ARRAY['1 day', '8 days']) AS age, generate_series(1, 5) AS n
"""
LEFT = """
SELECT model, count(*) FROM raglive.cached_vectors JOIN raglive.embedding_models USING (model_key)
GROUP BY model
"""
RESERVATIONS = """
INSERT INTO raglive.embedding_reservations (pipeline_key, cost, expires_at)
SELECT $1, 1, now() + due::interval FROM unnest(ARRAY['-1 second', '1 hour']) AS due
"""


async def test_only_data_that_may_be_needed_is_retained(
    database: Database, pipeline: PipelineRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH_ROWS", 2)
    space = await active_model(database)
    assert space is not None
    await database.execute(MODELS)
    await database.execute(VECTORS)
    await database.execute(RESERVATIONS, pipeline.key)
    await delete_expired(database)
    left = {row["model"]: row["count"] for row in await database.fetch(LEFT)}
    assert left == {space.space.model: 5, "following": 10}
    assert await database.fetchval("SELECT count(*) FROM raglive.embedding_reservations") == 1
