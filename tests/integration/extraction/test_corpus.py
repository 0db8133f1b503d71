"""Real documents of other projects, each with its expected outcome."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from raglive.extraction.pool import ExtractorPool
from raglive_contract.errors import RagliveError

CORPUS = Path(__file__).parents[3].parent / "shared" / "corpus"
pytestmark = [
    pytest.mark.optional,
    pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus at {CORPUS}"),
]

# Text that the document contains, or the code of its refusal.
EXPECTED: dict[str, dict[str, str | list[str]]] = {
    ".": {"README.md": "# Real documents for development"},
    "markitdown": {
        "LICENSE": "MIT License",
        "MEDRPT-2024-PAT-3847_medical_report_scan.pdf": ["no_text"],
        "RECEIPT-2024-TXN-98765_retail_purchase.pdf": "Wireless Noise-Cancelling",
        "REPAIR-2022-INV-001_multipage.pdf": "GRAND TOTAL 5,738",
        "SPARSE-2024-INV-1234_borderless_table.pdf": "Total Variance Cost: $4,287.50",
        "equations.docx": "For m=1,",
        "masterformat_partial_numbering.pdf": "Instructions to Respondents",
        "movie-theater-booking-2024.pdf": "Holiday Movie Marathon Package",
        "rlink.docx": "A red and blue square",
        "test.docx": "13 | 14 | 49e168b7-d2ae-407f-a055-2167576f39a1 | 15",
        "test.epub": "# Chapter 2: More Content",
        "test.jpg": ["unsupported"],
        "test.json": "5b64c88c-b3c3-4510-bcb8-da0b200602d8",
        "test.pdf": "While there is contemporaneous exploration of multi-agent approaches",
        "test.pptx": "a3f6004b-6f4f-4ea8-bee3-3741f4dc385f",
        "test.xls": "ColD: affc7dad-52dc-4b98-9b5d-51e65d8a8ad0",
        "test.xlsx": "Beta: 6ff4173b-42a5-4784-9b19-f49caff4d93d",
        "test_blog.html": "Large language models (LLMs) are powerful tools",
        "test_files.zip": "# test.docx\n\n# AutoGen",
        "test_llm.jpg": ["unsupported"],
        "test_mskanji.csv": "名前: 髙橋淳; 年齢: 35; 住所: 名古屋",
        "test_notebook.ipynb": 'print("markitdown")',
        "test_outlook_msg.msg": "This is the body of the test email message",
        "test_rss.xml": "Ignite 2024: Why nearly 70% of the Fortune 500 now use Microsoft 365",
        "test_serp.html": "1972–1985: Founding",  # noqa: RUF001
        "test_wikipedia.html": "Founded | April 4, 1975; 48 years ago in Albuquerque",
        "test_with_comment.docx": "This is a test comment. 12df-321a",
    },
    "sample-files": {
        "LICENSE": "Attribution-ShareAlike 4.0 International",
        "001-trivial-minimal-document.pdf": "Lorem ipsum dolor sit amet",
        "002-trivial-libre-office-writer-002-trivial-libre-office-writer.pdf": "Lorem ipsum dolor",
        "002-trivial-libre-office-writer-source.odt": "Stet clita kasd gubergren",
        "003-pdflatex-image-pdflatex-image.pdf": "Lorem ipsum dolor sit amet",
        "004-pdflatex-4-pages-pdflatex-4-pages.pdf": "Hello, here is some text",
        "005-libreoffice-writer-password-libreoffice-writer-password.pdf": ["encrypted"],
        "005-libreoffice-writer-password-source.odt": "Lorem ipsum dolor sit amet",
        "006-pdflatex-outline-pdflatex-outline.pdf": "3 Baz 2",
        "007-imagemagick-images-imagemagick-ASCII85Decode.pdf": ["no_text"],
        "007-imagemagick-images-imagemagick-CCITTFaxDecode.pdf": ["no_text"],
        "007-imagemagick-images-imagemagick-images.pdf": ["no_text"],
        "007-imagemagick-images-imagemagick-lzw.pdf": ["no_text"],
        "008-reportlab-inline-image-inline-image.pdf": "Test",
        "009-pdflatex-geotopo-GeoTopo-komprimiert.pdf": "(Schwarz-Weiß, Ringbindung)",
        "010-pdflatex-forms-pdflatex-forms.pdf": "Submit",
        "011-google-doc-document-google-doc-document.pdf": "Beautiful is better than ugly.",
        "012-libreoffice-form-libreoffice-form.odt": "Example for a Form",
        "012-libreoffice-form-libreoffice-form.pdf": "Agree to privacy policy",
        "013-reportlab-overlay-reportlab-overlay.pdf": "Fingerprint: asdfSa2123",
        "014-outlines-mistitled_outlines_example.pdf": "4 Foo 2",
        "015-arabic-habibi-oneline-cmap.pdf": "حَيبيب",
        "015-arabic-habibi-rotated.pdf": "حَيبيب",
        "015-arabic-habibi.pdf": "حَيبيب",
        "016-libre-office-link-libre-office-link.pdf": "This is a link to an awesome blog.",
        "017-unreadable-meta-data-unreadablemetadata.pdf": ["extraction_error"],
        "018-base64-image-base64image.pdf": "Produced with a Trial Version of PDF Annotator",
        "019-grayscale-image-grayscale-image.pdf": ["no_text"],
        "020-xmp-output_with_metadata_pymupdf.pdf": "Hello, World!",
        "021-pdfa-crazyones-pdfa.pdf": "The misfits. The rebels. The troublemakers.",
        "022-pdfkit-pdfkit.pdf": "Foo: bar",
        "023-cmyk-image-cmyk-image.pdf": ["no_text"],
        "024-annotations-annotated_pdf.pdf": "Not highlighted",
        "025-attachment-with-attachment.pdf": "no sea takimata sanctus est",
        "026-latex-multicolumn-multicolumn.pdf": "Pellentesque habitant morbi tristique senectus",
    },
    "unstructured": {
        "DA-619p.pdf": "The Legend of Calenhad: Chapter 1",
        "LICENSE.md": "Apache License",
        "book-war-and-peace-1225p.txt": "Well, Prince, so Genoa and Lucca are now just family",
        "copy-protected.pdf": "LayoutParser: A Unified Toolkit",
        "email-with-image.eml": "Attachment: unstructured_logo.png (unsupported)",
        "example-10k.html": "Cash and cash equivalents | $16,058,714 | $5,993,388",
        "fr_olap.pdf": "Une façon d’assister l’analyse d’entrepôt",  # noqa: RUF001
        "handbook-872p.docx": "ROLE OF UNITED STATES TRUSTEE",
        "winter-sports.epub": "RINKS AND SKATERS",
    },
}
PAGES = {"DA-619p.pdf": 619, "009-pdflatex-geotopo-GeoTopo-komprimiert.pdf": 117, "test.pptx": 6}
# The same documents as another converter reads them; words that it breaks at the ends of lines.
BROKEN_WORDS = 19


def expectations() -> dict[Path, str | list[str]]:
    found: dict[Path, str | list[str]] = {}
    for name, expected in EXPECTED.items():
        for file, outcome in expected.items():
            found[CORPUS / name / file] = outcome
    return found


async def test_every_document_has_its_expected_outcome() -> None:
    expected = expectations()
    present = {p for p in CORPUS.rglob("*") if p.is_file() and p.parent.name != "expected_outputs"}
    assert present == set(expected)
    texts: dict[str, str] = {}
    async with ExtractorPool(2) as pool:

        async def check(path: Path, outcome: str | list[str]) -> str | None:
            try:
                extracted, chunks = await pool.extract_chunks(path)
            except RagliveError as error:
                return None if [error.code] == outcome else f"{path.name}: {error.code}"
            texts[path.name] = extracted.text
            pages = PAGES.get(path.name, len(extracted.page_starts))
            sound = bool(chunks) and "\0" not in extracted.text
            right = isinstance(outcome, str) and outcome in extracted.text
            return None if right and sound and pages == len(extracted.page_starts) else path.name

        wrong = await asyncio.gather(*(check(path, outcome) for path, outcome in expected.items()))
    assert list(filter(None, wrong)) == []
    compare_with_guide(texts)


def compare_with_guide(texts: dict[str, str]) -> None:
    """Check that every word of the guide was extracted, except words hyphenated at line ends."""
    for guide in (CORPUS / "markitdown" / "expected_outputs").glob("*.md"):
        words = set(re.findall(r"\w+", guide.read_text(encoding="utf-8")))
        found = set(re.findall(r"\w+", texts.get(f"{guide.stem}.pdf", "")))
        assert len(words - found) <= (BROKEN_WORDS if guide.stem == "test" else 0), guide.name
