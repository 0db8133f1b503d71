"""A small document of every format, read by real child processes."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import pytest
import pytest_asyncio

from raglive.extraction.errors import ExtractionFailed, Skipped
from raglive.extraction.model import Extracted
from raglive.extraction.pool import ExtractorPool
from raglive_contract.errors import RagliveError
from tests.integration.extraction import documents, outlook, slides97

pytestmark = pytest.mark.asyncio(loop_scope="module")

RTF = rb"{\rtf1\ansi\ansicpg1252 The harbour \'e9cluse.\par Second line.}"
NOTEBOOK = (
    b'{"cells": [{"cell_type": "markdown", "metadata": {}, "source": ["Tide tables"]}], '
    b'"metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
)
ATOM = (
    '<feed xmlns="http://www.w3.org/2005/Atom"><title>Harbour news</title><entry>'
    "<title>Storm</title><link href='https://example.org/storm'/>"
    "<content type='html'>&lt;p&gt;All boats &lt;b&gt;stay&lt;/b&gt;.&lt;/p&gt;</content>"
    "</entry></feed>"
)
CALENDAR = (
    b"BEGIN:VCARD\r\nNOTE:High wa\r\n ter\\, at six\r\nPHOTO;ENCODING=b:aGk=\r\nEND:VCARD\r\n"
)
MAILBOX = b"".join(
    b"From anna@example.org Mon Mar  3 09:00:00 2025\nFrom: anna@example.org\nSubject: %s\n\n%s\n\n"
    % message
    for message in ((b"Tides", b"High water"), (b"Ebb", b">From six"))
)
VALVES = "| Valve | Size |\n|---|---|\n" + "".join(f"| V-{n:03} | {n} |\n" for n in range(99))
SPANS = b"""<table><tr><th colspan=3>Depths
<tr><th>Quay<th>Day<th>Depth<tr><td rowspan=2>East<td>Mon<td>4<tr><td>Tue<td>
<tr><td colspan=2>West<td>6</table>"""
JPEG = b"\xff\xd8\xff\xe0" + bytes(50)


def nested(depth: int) -> bytes:
    inner = documents.zipped({"a.txt": "x"})
    for _ in range(depth):
        inner = documents.zipped({"a.zip": inner, "b.txt": "text"})
    return inner


WORD_BODY = """
<w:p><w:pPr><w:pStyle w:val="H"/></w:pPr><w:r><w:t>Berths</w:t></w:r></w:p>
<w:p><w:pPr><w:numPr><w:ilvl w:val="1"/><w:numId w:val="5"/></w:numPr></w:pPr>
<w:r><w:t>Depth:</w:t><w:tab/><w:t>4</w:t></w:r><w:del><w:r><w:t>9</w:t></w:r></w:del></w:p>
<w:p><w:pPr><w:numPr><w:ilvl w:val="1"/><w:numId w:val="5"/></w:numPr></w:pPr>
<w:r><w:t>X</w:t><w:noBreakHyphen/><w:t>2</w:t></w:r><w:moveFrom><w:r><w:t>old</w:t></w:r></w:moveFrom></w:p>
<w:p><w:pPr><w:pStyle w:val="H"/></w:pPr><w:r><w:t>New</w:t></w:r>
<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r></w:p>
<w:tbl><w:tr><w:tc><w:tcPr><w:vMerge w:val="restart"/></w:tcPr>
<w:p><w:r><w:t>East</w:t></w:r></w:p></w:tc>
<w:tc><w:p><w:r><w:t>4</w:t></w:r></w:p></w:tc></w:tr><w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr><w:p/></w:tc>
<w:tc><w:p><w:r><w:t>6</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"""
WORD_STYLES = """<w:style w:styleId="B"><w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>
<w:style w:styleId="H"><w:basedOn w:val="B"/>
<w:pPr><w:numPr><w:numId w:val="5"/></w:numPr></w:pPr></w:style>"""
WORD_NUMBERING = """<w:abstractNum w:abstractNumId="1">
<w:lvl w:ilvl="0"><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>
<w:lvl w:ilvl="1"><w:numFmt w:val="decimal"/><w:lvlText w:val="%1.%2"/></w:lvl></w:abstractNum>
<w:num w:numId="5"><w:abstractNumId w:val="1"/></w:num>"""

TEXTS: list[tuple[str, bytes, list[str]]] = [
    ("a.pdf", documents.pdf("First page", "Second page"), ["First page\nSecond page"]),
    (
        "a.docx",
        documents.docx("Rope", "Sail!", comment="ask Anna", footnote="of hemp"),
        ["Rope\n\nSail!\n\nNotes:\n- of hemp\n\nComments:\n- ask Anna"],
    ),
    (
        "parts.docx",
        documents.word(
            WORD_BODY,
            styles=WORD_STYLES,
            numbering=WORD_NUMBERING,
            header="<w:p><w:r><w:t>The Harbour Ltd</w:t></w:r></w:p>",
        ),
        [
            "The Harbour Ltd\n\n# 1. Berths\n\n1.1 Depth:\t4\n1.2 X-2",
            "1.2 X-2\n\n# 2. New\n\nEast | 4\nEast | 6",
        ],
    ),
    (
        "b.docx",
        documents.docx("AT&amp;T &lt;tag&gt;", "caf&#233; &#38; bar &quot;Zur&apos;s&quot; *a*"),
        ["AT&T <tag>", 'café & bar "Zur\'s" *a*'],
    ),
    ("a.pptx", documents.pptx(("Tides", "High water"), ("End", "Bye")), ["# Tides\n\nHigh water"]),
    (
        "diagram.pptx",
        documents.pptx(("Tides", "High water"), ("End", "Bye"), diagram=("Ebb", "Flow")),
        ["# Tides\n\nHigh water\n\nEbb\nFlow\n\n# End"],
    ),
    ("a.odt", documents.odt("The harbour"), ["The harbour"]),
    ("a.ott", documents.odt("The form", is_template=True), ["The form"]),
    ("a.epub", documents.epub("<h1>One</h1><p>Calm", "<p>Storm"), ["# One\n\nCalm\n\nStorm"]),
    ("a.rtf", RTF, ["The harbour écluse.", "Second line."]),
    ("a.html", b"<nav>Menu</nav><h1>Boats</h1><p>Red", ["# Boats\n\nRed"]),
    ("a.md", "# Über\n\n* eins".encode(), ["# Über\n\n* eins"]),
    ("a.txt", "Größe: 25 € — groß".encode("cp1252"), ["Größe: 25 € — groß"]),
    ("a.csv", b"boat,berth\r\nAnna,12\r\nBob,7\r\n", ["boat: Anna; berth: 12\nboat: Bob"]),
    ("c.csv", b"day;note\n1;calm, dry\n2;wet\n", ["day: 1; note: calm, dry"]),
    ("b.csv", "Boot;Länge\nAnna;12,5".encode("latin-1"), ["Boot: Anna; Länge: 12,5"]),
    ("a.tsv", b"boat\tberth\nAnna\t12", ["boat: Anna; berth: 12"]),
    ("sep.csv", b"sep=;\r\nday;note\r\n1;calm, dry\r\n", ["day: 1; note: calm, dry"]),
    ("space.csv", b'name, town\nAnna, "Rye, Kent"\n', ["name: Anna; town: Rye, Kent"]),
    ("years.csv", b"Port,2024,2025\nRye,1,2\nHull,3,2024\n", ["Port: Rye; 2024: 1; 2025: 2"]),
    ("title.csv", b"Report\n\nday;note\n1;calm, dry\n2;wet\n", ["Report\nday: 1; note: calm, dry"]),
    ("open.csv", b'size,boat\n"5 inch,Anna\n7 inch,Bob\n', ['"5 inch; boat: Anna\nsize: 7 inch']),
    ("export.xls", b"boat\tberth\nAnna\t12\n", ["boat: Anna; berth: 12"]),
    ("d.csv", b"1,5;2,25\n2,5;\n;4,25\n", ["1,5 | 2,25\n2,5\n | 4,25"]),
    (
        "two.csv",
        b"Harbour:;Rye;\nTo:;May;\n\nday;depth;note\n1;4;calm\n\nboat;berth\nAnna;12\n",
        ["Harbour: | Rye\nTo: | May\nday: 1; depth: 4; note: calm\nboat: Anna; berth: 12"],
    ),
    ("spans.html", SPANS, ["Depths\nQuay | Day | Depth\nEast | Mon | 4\nEast | Tue\nWest | | 6"]),
    (
        "faq.html",
        b"<h2><button>When is it open?</button></h2><p>From Mar&shy;ch.<button>Print</button>",
        ["## When is it open?\n\nFrom March."],
    ),
    ("long.md", VALVES.encode(), ["Valve: V-000; Size: 0\nValve: V-001; Size: 1\n"]),
    ("photo.md", b"![The bay](data:image/png;base64,%s)" % (b"aB3d" * 99), ["The bay"]),
    ("a.vcf", CALENDAR, ["NOTE:High water, at six\nEND"]),
    (
        "a.mbox",
        MAILBOX,
        ["Subject: Tides\n\nHigh water\n\nFrom: anna@example.org\nSubject: Ebb\n\nFrom six"],
    ),
    ("rotated.log", bytes(9_000) + b"The anchor", ["The anchor"]),
    ("mixed.xml", b"<a>One<p>two</p>thr<b>ee</b></a>", ["a: One\ntwo\nthree"]),
    ("a.json", b'{"boat": "Anna"}', ['{"boat": "Anna"}']),
    ("b.json", b"[" + b'{"boat": "Anna"},' * 300 + b"1]", ['{\n  "boat": "Anna"\n }']),
    (
        "escaped.json",
        rb'{"a": "\u00fcber \ud83d\ude00", "b": "\\u00fc \u000a"}',
        [r'{"a": "über 😀", "b": "\\u00fc \u000a"}'],
    ),
    ("escaped.jsonl", b'{"a": "\\u00fc"}\n{"a": 2}', ['{"a": "ü"}\n{"a": 2}']),
    ("a.jsonl", b'{"a": 1}\n{"a": 2}', ['{"a": 1}\n{"a": 2}']),
    (
        "a.xml",
        b"<boats><boat berth='12'>Anna <b>B</b></boat></boats>",
        ["boat berth: 12\nboat: Anna B"],
    ),
    ("broken.xml", b"<boats><boat>Anna", ["<boats><boat>Anna"]),
    ("a.xml", ATOM.encode(), ["# Harbour news\n\n## Storm", "All boats stay."]),
    ("a.ipynb", NOTEBOOK, ["Tide tables"]),
    ("b.py", "#!/bin/sh\n# -*- coding: latin-1 -*-\n# é".encode("latin-1"), ["\n# é"]),
    ("color.log", b"\x1b[1;31mERROR\x1b[0m disk full", ["ERROR disk full"]),
    ("a.py", b"def moor():\n    return 1\n", ["def moor():\n    return 1"]),
    (
        "a.eml",
        documents.mail(),
        ["From: Anna Müller", "Subject: Tides for übermorgen", "High water at six.", "boat: Anna"],
    ),
    (
        "b.eml",
        documents.mail(is_html=True),
        ["High water at six.", "Chart of the bay", "Attachment: map.png (unsupported)"],
    ),
    (
        "a.xlsx",
        documents.xlsx("Berths", [["boat", "no"], ["Anna", "12"]]),
        ["## Berths\n\nboat: Anna"],
    ),
    (
        "a.ods",
        documents.ods("Berths", [["boat", "no"], ["Anna", "12"]]),
        ["## Berths\n\nboat: Anna"],
    ),
    (
        "a.odp",
        documents.odp(("Tides", "High water", "Say hello"), ("End", "Bye", "")),
        ["# Tides\n\nHigh water\n\nNotes:\n\nSay hello\n\n# End"],
    ),
    (
        "c.eml",
        documents.mail(),
        ["Attachment: Lost anchor.eml", "Seen near buoy 7.", "buoy: 7; depth: 12"],
    ),
    (
        "a.zip",
        documents.zipped(
            {
                "docs/a.txt": "Rope",
                "b.pdf": documents.pdf("Sail"),
                "__MACOSX/c": "no",
                "d.jpg": JPEG,
            }
        ),
        ["# docs/a.txt\n\nRope\n\n# b.pdf\n\nSail\n\n# d.jpg\n\n(unsupported)"],
    ),
    ("a.tar", documents.tarred({"a.md": b"# Rope"}), ["# a.md\n\n# Rope"]),
    ("a.tar.gz", documents.tarred({"a.md": b"Rope"}, "w:gz"), ["# a.md\n\nRope"]),
    ("a.tbz2", documents.tarred({"a.md": b"Rope"}, "w:bz2"), ["# a.md\n\nRope"]),
    ("a.tar.xz", documents.tarred({"a.md": b"Rope"}, "w:xz"), ["# a.md\n\nRope"]),
    ("log.txt.gz", gzip.compress(b"The anchor"), ["The anchor"]),
    (
        "in.zip",
        documents.zipped({"a.zip": documents.zipped({"b.txt": "Deep"})}),
        ["# b.txt\n\nDeep"],
    ),
    ("noextension", documents.pdf("Found by content"), ["Found by content"]),
]
REFUSALS: list[tuple[str, bytes, str]] = [
    ("empty.txt", b"", "empty"),
    ("blank.md", b" \n\t\r\n", "empty"),
    ("unseen.txt", "\u200b\u2060\n".encode(), "empty"),
    ("script.html", b"<html><body><script>x</script></body></html>", "no_text"),
    ("scan.pdf", documents.pdf("", ""), "no_text"),
    ("empty.docx", documents.docx(""), "no_text"),
    ("photo.jpg", JPEG, "unsupported"),
    ("song.txt", b"ID3\x04" + bytes(50), "unsupported"),
    ("photos.zip", documents.zipped({"a.jpg": JPEG}), "no_text"),
    ("empty.zip", documents.zipped({}), "empty"),
    ("links.tar", documents.tarred({}), "empty"),
    ("broken.zip", documents.zipped({"a.txt": "x" * 99})[:40], "extraction_error"),
    ("broken.tar.gz", documents.tarred({"a.md": b"Rope"}, "w:gz")[:60], "extraction_error"),
    ("ratio.zip", documents.zipped({"a.txt": bytes(10 << 20)}), "too_large"),
    ("ratio.gz", gzip.compress(bytes(10 << 20)), "too_large"),
    ("size.zip", documents.zipped({f"{n}": bytes(8 << 20) for n in range(33)}), "too_large"),
    ("number.zip", documents.zipped({f"{n}.txt": "x" for n in range(2001)}), "too_large"),
    ("a.vsdx", documents.zipped({"[Content_Types].xml": "x", "visio/a.xml": "x"}), "unsupported"),
    ("a.numbers", documents.zipped({"Index/Document.iwa": "x"}), "unsupported"),
    ("depth.zip", nested(5), "too_large"),
    ("unknown", bytes(range(256)), "unsupported"),
    ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><text>x</text></svg>", "unsupported"),
    (
        "locked.docx",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "EncryptedPackage".encode("utf-16-le"),
        "encrypted",
    ),
    (
        "locked.doc",
        outlook.compound({"WordDocument": b"\xec\xa5" + bytes(8) + b"\0\1" + bytes(5_000)}),
        "encrypted",
    ),
    (
        "locked.ppt",
        outlook.compound(
            {
                "PowerPoint Document": bytes(5_000),
                "Current User": bytes(12) + b"\xdf\xc4\xd1\xf3" + bytes(20),
            }
        ),
        "encrypted",
    ),
    (
        "locked.xls",
        outlook.compound({"Workbook": b"\x09\x08\2\0\0\6\x2f\0\6\0" + bytes(5_000)}),
        "encrypted",
    ),
    ("locked.odt", documents.odt("x", is_encrypted=True), "encrypted"),
    ("locked.epub", documents.epub("<p>x", is_locked=True), "encrypted"),
    ("large.txt", b"x" * 2_000_001, "too_large"),
    ("wide.csv", b"name,value\n" + b"1,2\n" * 100_000, "too_large"),
    ("broken.pdf", b"%PDF-1.4\nnothing else", "extraction_error"),
    ("page.pdf", b"<html>404</html>", "extraction_error"),
    ("broken.docx", documents.docx("text")[:300], "extraction_error"),
    (
        "broken.pptx",
        documents.zipped({"[Content_Types].xml": "x", "ppt/a": "x"}),
        "extraction_error",
    ),
    ("panic.xlsb", documents.panicking_xlsb(), "extraction_error"),
    (
        "word95.doc",
        outlook.compound({"WordDocument": b"\xdc\xa5\x68" + bytes(5_000)}),
        "unsupported",
    ),
    ("broken.epub", documents.zipped({"mimetype": "application/epub+zip"}), "extraction_error"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[ExtractorPool]:
    async with ExtractorPool(1, max_file_bytes=2_000_000, max_text_chars=1_000_000) as made:
        yield made


async def extract(pool: ExtractorPool, folder: Path, name: str, data: bytes) -> Extracted:
    path = folder / name
    path.write_bytes(data)
    return await pool.extract(path)


@pytest.mark.parametrize(("name", "data", "expected"), TEXTS, ids=[name for name, *_ in TEXTS])
async def test_text_is_read(
    pool: ExtractorPool, tmp_path: Path, name: str, data: bytes, expected: list[str]
) -> None:
    extracted = await extract(pool, tmp_path, name, data)
    for piece in expected:
        assert piece in extracted.text


@pytest.mark.parametrize(("name", "data", "code"), REFUSALS, ids=[name for name, *_ in REFUSALS])
async def test_what_has_no_text_says_why(
    pool: ExtractorPool, tmp_path: Path, name: str, data: bytes, code: str
) -> None:
    with pytest.raises(RagliveError) as caught:
        await extract(pool, tmp_path, name, data)
    kind = ExtractionFailed if code == "extraction_error" else Skipped
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert not caught.value.retryable
    assert len(caught.value.message) > 15


async def test_pages_are_where_the_text_says(pool: ExtractorPool, tmp_path: Path) -> None:
    pages = [f"Page number {i}" for i in range(1, 40)]
    extracted = await extract(pool, tmp_path, "a.pdf", documents.pdf(*pages))
    starts = extracted.page_starts
    assert [extracted.text[start:].split("\n")[0] for start in starts] == pages
    slides = await extract(pool, tmp_path, "a.pptx", documents.pptx(("One", "a"), ("Two", "b")))
    assert [slides.text[start:][:5] for start in slides.page_starts] == ["# One", "# Two"]


async def test_old_slides_are_those_of_the_last_save(pool: ExtractorPool, tmp_path: Path) -> None:
    shown = [("Tides", "High water für alle", "Say hello"), ("End", "Bye", "")]
    show = await extract(pool, tmp_path, "a.ppt", slides97.ppt(shown, before="Low water"))
    assert show.text == "# Tides\n\nHigh water für alle\n\nNotes:\n\nSay hello\n\n# End\n\nBye"
    assert [show.text[start:][:5] for start in show.page_starts] == ["# Tid", "# End"]


async def test_tables_keep_their_rows(pool: ExtractorPool, tmp_path: Path) -> None:
    rows = [["boat", "berth"], ["Anna", "12"], ["Bob", ""]]
    workbook = await extract(pool, tmp_path, "a.xlsx", documents.xlsx("Berths", rows))
    (table,) = workbook.tables
    assert (table.name, table.columns) == ("Berths", ("boat", "berth"))
    assert (table.rows, table.row_count) == ((("Anna", "12"), ("Bob", "")), 2)
    numbers = await extract(pool, tmp_path, "n.csv", b"1,2\n3,4\n")
    assert numbers.tables[0].columns == ("column 1", "column 2")
    years = await extract(pool, tmp_path, "y.csv", b"2024,2025\n2026,2027\n")
    assert years.tables[0].columns == ("column 1", "column 2")
    titled = await extract(pool, tmp_path, "t.csv", b"Report\n\nboat,berth\nAnna,12\n")
    assert (titled.tables[0].columns, titled.tables[0].row_count) == (("boat", "berth"), 1)
    many = await extract(pool, tmp_path, "m.csv", b"key,value\n" + b"k,v\n" * 20_000)
    assert (len(many.tables[0].rows), many.tables[0].row_count) == (10_000, 20_000)


async def test_dates_times_and_errors_are_formatted_as_in_the_workbook(
    pool: ExtractorPool, tmp_path: Path
) -> None:
    day, time = documents.cell(46_095.0, documents.DAY), documents.cell(0.3541667, documents.TIME)
    rows = [["day", "time", "share"], [day, time, "#DIV/0!"]]
    workbook = await extract(pool, tmp_path, "a.xlsx", documents.xlsx("Berths", rows))
    assert workbook.tables[0].rows == (("2026-03-14", "08:30:00", "#DIV/0!"),)
    data = documents.ods("Berths", [["boat", "time"], ["Anna", "PT08H30M00S"]])
    open_workbook = await extract(pool, tmp_path, "a.ods", data)
    assert open_workbook.tables[0].rows == (("Anna", "08:30:00"),)


async def test_tables_of_inner_files_keep_apart(pool: ExtractorPool, tmp_path: Path) -> None:
    sheet = documents.ods("Sheet", [["boat", "no"], ["Anna", "12"]])
    packed = documents.zipped({"a.ods": sheet, "b.ods": sheet, "c/n.csv": "x,y\n1,2"})
    archive = await extract(pool, tmp_path, "a.zip", packed)
    assert [table.name for table in archive.tables] == ["a.ods: Sheet", "b.ods: Sheet", "c/n.csv"]
    letter = await extract(pool, tmp_path, "a.eml", documents.mail())
    names = [table.name for table in letter.tables]
    assert names == ["berths.csv", "Lost anchor.eml: berths.csv"]


async def test_a_bomb_in_a_mail_only_affects_the_attachment(
    pool: ExtractorPool, tmp_path: Path
) -> None:
    message = EmailMessage()
    message.set_content("See the archive.")
    bomb = documents.zipped({"a.txt": bytes(300 << 20)})
    message.add_attachment(bomb, maintype="application", subtype="zip", filename="b.zip")
    extracted = await extract(pool, tmp_path, "a.eml", message.as_bytes())
    assert "See the archive." in extracted.text
    assert "Attachment: b.zip (too large)" in extracted.text


async def test_a_panic_of_native_code_only_affects_the_inner_file_and_its_child(
    pool: ExtractorPool, tmp_path: Path
) -> None:
    note = await extract(pool, tmp_path, "a.txt", b"Rope")
    (before,) = pool._children
    packed = documents.zipped({"a.xlsb": documents.panicking_xlsb(), "b.txt": "Sail"})
    archive = await extract(pool, tmp_path, "a.zip", packed)
    assert archive.text == "# a.xlsb\n\n(extraction error)\n\n# b.txt\n\nSail"
    assert (await extract(pool, tmp_path, "a.txt", b"Rope")).text == note.text
    (after,) = pool._children
    assert after.pid != before.pid


async def test_titles_types_and_markdown_are_reported(pool: ExtractorPool, tmp_path: Path) -> None:
    book = await extract(pool, tmp_path, "a.epub", documents.epub("<p>text"))
    assert (book.title, book.is_markdown) == ("The Book", True)
    note = await extract(pool, tmp_path, "a.md", b"intro\n# The *Title*\n")
    assert (note.title, note.mime_type) == ("The *Title*", "text/markdown")
    path = tmp_path / "downloaded.tmp"
    path.write_bytes(b"a,b\n1,2")
    named = await pool.extract(path, name="from drive", mime_type="text/csv")
    assert (named.mime_type, named.tables[0].name) == ("text/csv", "from drive")
