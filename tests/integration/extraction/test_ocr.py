"""Text recognition: only if configured, and only with the data of the language."""

from __future__ import annotations

from pathlib import Path

import pytest

from raglive.extraction.errors import Skipped
from raglive.extraction.ocr import find_recognition
from raglive.extraction.pool import ExtractorPool
from raglive_contract.errors import RagliveError

SCAN = Path(__file__).parents[4] / "shared/corpus/markitdown/test_llm.jpg"


@pytest.mark.optional
async def test_a_picture_is_read_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    if not SCAN.exists():
        pytest.skip("the corpus is not here")
    try:
        recognition = find_recognition("eng")
    except RagliveError:
        pytest.skip("Tesseract's English data is not installed")
    async with ExtractorPool(1, recognition=recognition) as pool:
        assert "mention the string" in (await pool.extract(SCAN)).text
    async with ExtractorPool(1) as pool:
        with pytest.raises(Skipped):
            await pool.extract(SCAN)


def test_missing_data_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    (tmp_path / "eng.traineddata").touch()
    assert find_recognition("eng").data == tmp_path
    with pytest.raises(RagliveError, match="tesseract-ocr-eng tesseract-ocr-chi-sim") as caught:
        find_recognition("eng+chi_sim")
    assert caught.value.code == "settings_invalid"
