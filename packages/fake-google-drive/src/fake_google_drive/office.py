"""Exports of Google documents, generated from plain text: small, valid files."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from html import escape

from fake_google_drive.mime import CSV, DOCX, HTML, MARKDOWN, PDF, PLAIN, PPTX, XLSX

__all__ = ["document_exports", "drawing_exports", "presentation_exports", "spreadsheet_exports"]

Rows = Sequence[Sequence[str]]

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_SLIDE = "http://schemas.openxmlformats.org/presentationml/2006/main"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"


def document_exports(text: str) -> dict[str, bytes]:
    """Return the exports of a Doc with a paragraph for each line."""
    lines = text.splitlines()
    paragraphs = "".join(f"<w:p><w:r><w:t>{escape(line)}</w:t></w:r></w:p>" for line in lines)
    body = f'<w:document xmlns:w="{_WORD}"><w:body>{paragraphs}</w:body></w:document>'
    html = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return {
        PLAIN: text.encode(),
        MARKDOWN: text.encode(),
        HTML: f"<html><body>{html}</body></html>".encode(),
        DOCX: _package("word/document.xml", body, DOCX, {}),
        PDF: _pdf(lines),
    }


def spreadsheet_exports(sheets: Mapping[str, Rows]) -> dict[str, bytes]:
    """Return the exports of a spreadsheet; CSV contains the first sheet only."""
    names, parts = "", {}
    for number, (name, rows) in enumerate(sheets.items(), 1):
        names += f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"/>'
        parts[f"worksheets/sheet{number}.xml"] = (_sheet(rows), f"{XLSX[:-6]}.worksheet+xml")
    book = f'<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}"><sheets>{names}</sheets></workbook>'
    lines = io.StringIO()
    csv.writer(lines).writerows(next(iter(sheets.values())))
    return {
        XLSX: _package("xl/workbook.xml", book, XLSX, parts),
        CSV: lines.getvalue().encode(),
    }


def presentation_exports(slides: Sequence[str]) -> dict[str, bytes]:
    """Return the exports of a presentation with one text for each slide."""
    names, parts = "", {}
    for number, text in enumerate(slides, 1):
        names += f'<p:sldId id="{255 + number}" r:id="rId{number}"/>'
        parts[f"slides/slide{number}.xml"] = (_slide(text), f"{PPTX[:-13]}.slide+xml")
    deck = (
        f'<p:presentation xmlns:p="{_SLIDE}" xmlns:r="{_OFFICE}">'
        f'<p:sldIdLst>{names}</p:sldIdLst><p:sldSz cx="9144000" cy="6858000"/>'
        '<p:notesSz cx="6858000" cy="9144000"/></p:presentation>'
    )
    return {
        PPTX: _package("ppt/presentation.xml", deck, PPTX, parts),
        PLAIN: "\n".join(slides).encode(),
    }


def drawing_exports(text: str) -> dict[str, bytes]:
    """Return the exports of a drawing that contains a text."""
    lines = text.splitlines()
    rows = "".join(
        f'<text x="20" y="{30 * at}">{escape(line)}</text>' for at, line in enumerate(lines, 1)
    )
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="600" height="400">{rows}</svg>'
    return {PDF: _pdf(lines), "image/svg+xml": svg.encode()}


def _sheet(rows: Rows) -> str:
    cells = "".join(
        "<row>"
        + "".join(f'<c t="inlineStr"><is><t>{escape(cell)}</t></is></c>' for cell in row)
        + "</row>"
        for row in rows
    )
    return f'<worksheet xmlns="{_SHEET}"><sheetData>{cells}</sheetData></worksheet>'


def _slide(text: str) -> str:
    paragraphs = "".join(
        f"<a:p><a:r><a:t>{escape(line)}</a:t></a:r></a:p>" for line in text.splitlines()
    )
    return (
        f'<p:sld xmlns:p="{_SLIDE}" xmlns:a="{_DRAWING}"><p:cSld><p:spTree>'
        '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
        '<p:sp><p:nvSpPr><p:cNvPr id="2" name="Text"/><p:cNvSpPr/><p:nvPr/></p:nvSpPr><p:spPr/>'
        f"<p:txBody><a:bodyPr/>{paragraphs}</p:txBody></p:sp></p:spTree></p:cSld></p:sld>"
    )


def _package(main: str, body: str, mime_type: str, parts: Mapping[str, tuple[str, str]]) -> bytes:
    """Return an Office file with its main part and further parts by path and type."""
    folder, _, name = main.partition("/")
    overrides = f'<Override PartName="/{main}" ContentType="{mime_type}.main+xml"/>'
    relations = ""
    for number, (path, (_, part_type)) in enumerate(parts.items(), 1):
        kind = path.partition("/")[0].removesuffix("s")
        overrides += f'<Override PartName="/{folder}/{path}" ContentType="{part_type}"/>'
        relations += f'<Relationship Id="rId{number}" Type="{_OFFICE}/{kind}" Target="{path}"/>'
    files = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        f'<Default Extension="rels" ContentType="{_RELATIONS}"/>{overrides}</Types>',
        "_rels/.rels": _related(
            f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="{main}"/>'
        ),
        main: body,
        f"{folder}/_rels/{name}.rels": _related(relations),
        **{f"{folder}/{path}": text for path, (text, _) in parts.items()},
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), _HEAD + text)
    return target.getvalue()


_RELATIONS = "application/vnd.openxmlformats-package.relationships+xml"


def _related(relations: str) -> str:
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{relations}</Relationships>'


def _pdf(lines: Sequence[str]) -> bytes:
    shown = b"BT /F1 12 Tf 14 TL 50 750 Td"
    for line in lines:
        text = line.encode("cp1252", "replace")
        for sign in (b"\\", b"(", b")"):
            text = text.replace(sign, b"\\" + sign)
        shown += b" (" + text + b") Tj T*"
    shown += b" ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R"
        b"/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(shown), shown),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    written, places = b"%PDF-1.4\n", b""
    for number, body in enumerate(objects, 1):
        places += b"%010d 00000 n \n" % len(written)
        written += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    end = b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(written)
    return written + b"xref\n0 6\n0000000000 65535 f \n" + places + end
