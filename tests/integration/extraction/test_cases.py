"""Small documents that were once read wrongly, each with the text that a person sees."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from raglive.extraction.chunking import Chunk
from raglive.extraction.errors import Skipped
from raglive.extraction.model import Extracted
from raglive.extraction.pool import ExtractorPool

CASES = Path(__file__).parents[3].parent / "shared" / "cases"
pytestmark = [
    pytest.mark.optional,
    pytest.mark.skipif(not CASES.is_dir(), reason=f"no cases at {CASES}"),
    pytest.mark.asyncio(loop_scope="module"),
]

CLAUSES = """1. Definitions
1.1 Owner means the club.
1.2 Tenant means the member.
2. Rent
2.1 Rent is due monthly.
2.2 Late rent:
(a) bears interest;
(b) may end the lease.
See clause 2.2(b) for lateness."""
PLANT = (
    "Site: Oakford; Year: 2021; Share: 12.5%; Zip: 00501; Big id: 123456789012345700; "
    "When: 2025-03-04; Price: 1,234.50 EUR; Hours: 30:15; Flag: TRUE"
)

# The pieces that a text contains, in order, and those that it does not contain.
TEXTS: list[tuple[str, list[str], list[str]]] = [
    ("docx-tabs.docx", ["Invoice no.\t4711", "Customer:\tQuill", "Due date:\t31 May"], []),
    ("docx-tabs.docx", ["Street 5\nTownsville", "Model X-200"], []),
    ("docx-clauses.docx", CLAUSES.splitlines(), []),
    (
        "docx-parts.docx",
        [
            "Letterhead Brambleworks Ltd",
            "Callout: tighten the gland nut",
            "customer Juniper",
            "chosen value Walnut",
            "merged Hazel",
            "field link text",
            "left\tright\nbelow-joinedsoft\naftercr",
            "Outer A | Outer B",
            "Inner one",
            "smart tag Birch",
            "Reference FX-7781",
        ],
        ["hiddenword", "HYPERLINK"],
    ),
    ("docx-tracked.docx", ["The deposit is nine hundred crowns.", "Moved: newplace"], ["oldplace"]),
    ("docx-document2.docx", ["# Renamed part", "in the barn & <shed>."], []),
    ("docx-comment-paragraphs.docx", ["First remark Second remark Clause nine"], []),
    (
        "xlsx-uncached-formula.xlsx",
        ["Item: Plank 1; Qty: 1; Unit price: 2.5; Total: =B2*C2", "Item: Sum; Total: =SUM(D2:D5)"],
        [],
    ),
    ("xlsx-mixed.xlsx", [PLANT, "Site: Oakford; Year: 2022; Share: 25.0%", "Hours: 7:45"], []),
    ("xlsx-mixed.xlsx", ["Checked by the auditor Rowan", "Name: Una; Age: 31"], ["Name: City"]),
    ("xlsx-mixed.xlsx", ["City: Lund; Country: Sweden; People: 94000"], []),
    ("xlsx-mixed.xlsx", ["Note line 7 above", "Code: A1; Meaning: flow; Unit: l/s"], []),
    ("xlsx-mixed.xlsx", ["Region: North; 2023 Plan: 1; 2023 Actual: 2; 2024 Plan: 3"], []),
    (
        "csv-bank-preamble.csv",
        ["Konto: | DE00 0000 (Giro)", "Buchungstag: 01.03.2025; Empfänger: Bäckerei Kornblume"],
        ["Konto::"],
    ),
    ("csv-decimal-comma-noheader.csv", ["1,5 | 2,25 | 1,75"], []),
    ("csv-noheader-empty.csv", ["4711 | | 17", "4712 | 3 | | 9", "4713 | | | 2"], []),
    ("html-empty-cells.html", ["Bob | | | night", "Eve | early | | late"], []),
    ("html-colspan-empty.html", ["Item | Price | Price", "Tea | | 4"], []),
    ("html-rowspan.html", ["Oakford | 2021 | 10", "Oakford | 2022 | 20", "Elmsby | 2022 | 22"], []),
    (
        "html-accordion.html",
        ["## How do I return a parcel?", "Use the label", "## Can I change", "## When is the"],
        [],
    ),
    (
        "html-shy.html",
        ["Datenschutzbeauftragte", "Kraftfahrzeughaftpflicht", "zerowidthbreak", "breaking hyphen"],
        ["\u00ad", "\u200b"],
    ),
    ("chat-export.json", ["Please explain\n", "Descaling steps\n", "Step one:\n"], ["\\n", "\\t"]),
    (
        "docbook-glued.xml",
        ["Introductory words", "Alpha paragraph", "Beta paragraph", "Gamma", "Delta", "First line"],
        ["wordsAlpha", "paragraphBeta", "GammaDelta", "lineSecond"],
    ),
    (
        "archive.mbox",
        ["Subject: Harvest report 0", "pärsimmon trees bore 00", "full.", "Harvest report 1"],
        ["zQcs2L5vn2KsTAnCggbn41WUqms0", "=C3"],
    ),
    ("md-data-uri.md", ["The culvert is dry.", "photo", "The bridge is closed."], ["base64"]),
    ("md-front-matter.md", ["Volunteers sign the register"], []),
    ("html-only-placeholder.eml", ["invoice 88123 for the tractor hire of 912 euros"], []),
    ("ics-folded.ics", ["session with the volunteers", "soil samples, gloves"], ["\\"]),
    ("pdf-form.pdf", ["Marguerite Fenwick", "Plot Seventeen"], []),
    ("pdf-xfa-wait.pdf", ["Ottoline Reed", "42"], ["Please wait"]),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[ExtractorPool]:
    async with ExtractorPool(1) as made:
        yield made


async def extract(pool: ExtractorPool, name: str) -> tuple[Extracted, list[Chunk]]:
    return await pool.extract_chunks(CASES / name)


@pytest.mark.parametrize(("name", "expected", "absent"), TEXTS)
async def test_text_is_what_a_person_sees(
    pool: ExtractorPool, name: str, expected: list[str], absent: list[str]
) -> None:
    text = (await extract(pool, name))[0].text
    position = 0
    for piece in expected:
        assert piece in text[position:], text[:3_000]
        position = text.index(piece, position)
        assert text.count(piece) == 1 or not name.startswith("docx")
    assert [piece for piece in absent if piece in text] == []


async def test_a_log_with_nul_bytes_before_its_text_is_read(pool: ExtractorPool) -> None:
    expected = (CASES / "service.log").read_bytes().strip(b"\0").decode().strip()
    assert (await extract(pool, "service.log"))[0].text.strip() == expected


async def test_every_chunk_of_a_long_table_names_the_columns(pool: ExtractorPool) -> None:
    for chunk in (await extract(pool, "md-long-table.md"))[1]:
        assert "Nominal width (mm): " in chunk.text
        assert chunk.text.startswith(("# Valve list", "Valve: ")), chunk.text


async def test_the_title_is_that_of_the_front_matter(pool: ExtractorPool) -> None:
    assert (await extract(pool, "md-front-matter.md"))[0].title == "Onboarding of volunteers"


async def test_columns_of_a_bank_statement_are_those_below_its_preamble(
    pool: ExtractorPool,
) -> None:
    (table,) = (await extract(pool, "csv-bank-preamble.csv"))[0].tables
    assert table.columns == ("Buchungstag", "Empfänger", "Verwendungszweck", "Betrag (EUR)")
    assert table.row_count == 25


@pytest.mark.parametrize("name", ["diagram.vsdx", "letter.pages"])
async def test_formats_that_are_not_read_are_refused(pool: ExtractorPool, name: str) -> None:
    with pytest.raises(Skipped) as caught:
        await extract(pool, name)
    assert caught.value.code == "unsupported"
