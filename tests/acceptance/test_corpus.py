"""Real documents, intact and damaged: each has an outcome, and none blocks the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.installation import installed

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.optional,
    pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not here"),
]


async def test_every_file_of_the_corpus_ends(tmp_path: Path) -> None:
    async with installed(
        CORPUS, tmp_path / "data", RAGLIVE_EXTRACTION_TIMEOUT_SECONDS="60"
    ) as raglive:
        outcomes = {
            event["file"]["id"]: event
            for event in await raglive.events()
            if event["type"] in {"file:completed", "file:skipped", "file:failed"}
        }
        files = [path for path in CORPUS.rglob("*") if path.is_file()]
        assert len(outcomes) == len(files)
        [pipeline] = (await raglive.status())["pipelines"]
        counts = pipeline["status_details"]["counts"]
        assert counts["queued"] == counts["processing"] == 0
        empty = [
            event["file"]["name"]
            for event in outcomes.values()
            if event["type"] == "file:completed" and event["results"]["chunks_created"] == 0
        ]
        assert empty == []
        reasons = {
            event["file"]["name"]: event["reason"]["code"]
            for event in outcomes.values()
            if event["type"] == "file:skipped"
        }
        assert (
            reasons["005-libreoffice-writer-password-libreoffice-writer-password.pdf"]
            == "encrypted"
        )
        assert reasons["MEDRPT-2024-PAT-3847_medical_report_scan.pdf"] == "no_text"
        assert reasons["test.jpg"] == "unsupported"
        assert await raglive.json("verify") == {"ok": True, "problems": []}
