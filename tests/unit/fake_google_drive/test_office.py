"""The generated exports are readable files."""

from __future__ import annotations

import pytest

from fake_google_drive.mime import CSV, DOCX, HTML, MARKDOWN, PDF, PPTX, XLSX
from fake_google_drive.office import (
    document_exports,
    drawing_exports,
    presentation_exports,
    spreadsheet_exports,
)
from raglive.extraction.readers.format_registry import reader_for

DOCUMENT = document_exports("The plan\nTo sail (at dawn)")
SPREADSHEET = spreadsheet_exports({"Crew": [["Ann", "31"]], "R & D": [["x < y", "café"]]})
SLIDES = presentation_exports(["Wind & waves\nand salt", "The end"])
DRAWING = drawing_exports("A map (of) the isle")


@pytest.mark.parametrize(
    ("data", "mime_type", "texts"),
    [
        (DOCUMENT[DOCX], DOCX, ["The plan", "To sail (at dawn)"]),
        (DOCUMENT[PDF], PDF, ["The plan", "To sail (at dawn)"]),
        (DOCUMENT[HTML], HTML, ["The plan", "To sail (at dawn)"]),
        (DOCUMENT[MARKDOWN], MARKDOWN, ["The plan", "To sail (at dawn)"]),
        (SPREADSHEET[XLSX], XLSX, ["Crew", "Ann", "31", "R & D", "x < y", "café"]),
        (SPREADSHEET[CSV], CSV, ["Ann", "31"]),
        (SLIDES[PPTX], PPTX, ["Wind & waves", "and salt", "The end"]),
        (DRAWING[PDF], PDF, ["A map (of) the isle"]),
    ],
)
def test_exports_are_read(data: bytes, mime_type: str, texts: list[str]) -> None:
    read = "\n".join(reader_for(mime_type)(data, "export").parts)
    assert [text for text in texts if text not in read] == []


def test_csv_has_the_first_sheet_only() -> None:
    assert b"x < y" not in SPREADSHEET[CSV]
