"""`raglive retry`: all failed files, those of one error code, and files by id, name or path."""

from __future__ import annotations

import pytest

from raglive.app.installation import Installation
from raglive.app.operations import retry
from raglive.settings import read_settings
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.errors import RagliveError
from tests.integration.dashboard.serving import Work


async def test_files_are_tried_again_by_name_path_id_and_code(
    dsn: str, database: Database, pipeline: PipelineRecord
) -> None:
    work = Work(pipeline)
    for name in ("a.pdf", "b.pdf", "c.pdf", "d.pdf"):
        await work.fail(name)
    await work.skip("e.pdf", "encrypted")
    await work.fail("slow.pdf", code="extraction_timeout")
    await database.execute("UPDATE raglive.files SET folder = 'in/here' WHERE name = 'b.pdf'")
    wiring = Installation(read_settings({}), dsn, "secret")

    async def again(*files: str, code: str | None = None, of: str | None = None) -> int:
        return await retry(wiring, pipeline_id=of, files=files, code=code)

    with pytest.raises(RagliveError, match=r"no, not this\.pdf") as refused:
        await again("a.pdf", "no, not this.pdf")
    assert refused.value.code == "not_found"
    with pytest.raises(RagliveError, match="no pipeline nowhere"):
        await again(of="nowhere")
    assert await again("a.pdf", code="extraction_timeout") == 0
    assert await again(code="extraction_timeout") == 1
    assert await again("a.pdf") == 1
    assert await again("a.pdf") == 0
    assert await again("in/here/b.pdf", of=pipeline.pipeline_id) == 1
    assert await again("id:/c.pdf") == 1
    assert await again() == 1  # d.pdf; what is skipped is tried again only by name
    assert await again("e.pdf") == 1
