"""Creates small documents of every format in memory."""

from __future__ import annotations

import struct
import tarfile
import zipfile
from collections.abc import Sequence
from email.message import EmailMessage
from io import BytesIO
from typing import Literal

OFFICE_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"


def zipped(parts: dict[str, str | bytes]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def relations(**targets: tuple[str, str]) -> str:
    items = "".join(
        f'<Relationship Id="{key}" Type="{OFFICE_RELATIONS}/{kind}" Target="{target}"/>'
        for key, (kind, target) in targets.items()
    )
    return f'<Relationships xmlns="{PACKAGE_RELATIONS}">{items}</Relationships>'


def pdf(*pages: str) -> bytes:
    """A PDF with a line of text, or nothing, on each page."""
    count = len(pages)
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(count))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {count} /Kids [{kids}] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for i, text in enumerate(pages):
        content = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET" if text else ""
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * i} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>",
            f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        ]
    body, offsets = b"%PDF-1.4\n", []
    for number, item in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{item}\nendobj\n".encode()
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    trailer = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return body + f"xref\n0 {size}\n0000000000 65535 f \n{table}{trailer}".encode()


WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def docx(*paragraphs: str, comment: str = "", footnote: str = "") -> bytes:
    return word(
        "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs),
        footnotes=f'<w:footnote w:id="1"><w:p><w:r><w:t>{footnote}</w:t></w:r></w:p></w:footnote>',
        comments=f'<w:comment w:id="0"><w:p><w:r><w:t>{comment}</w:t></w:r></w:p></w:comment>',
    )


def word(body: str, **parts: str) -> bytes:
    """A Word document; parts are named by their kind, such as `header`."""
    contents = {
        f"word/{kind}.xml": f'<w:x xmlns:w="{WORD}">{part}</w:x>' for kind, part in parts.items()
    }
    return zipped(
        {
            "[Content_Types].xml": "<Types xmlns="
            '"http://schemas.openxmlformats.org/package/2006/content-types"/>',
            "_rels/.rels": relations(rId1=("officeDocument", "word/main.xml")),
            "word/main.xml": f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>',
            "word/_rels/main.xml.rels": relations(
                **{kind: (kind, f"{kind}.xml") for kind in parts}
            ),
            **contents,
        }
    )


SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


DAY, TIME = 1, 2
STYLES = "".join(f'<xf numFmtId="{number}"/>' for number in (0, 14, 21))


def cell(value: str | float, style: int = 0) -> str:
    """A cell: a text, an error, or a number that is shown in a style."""
    if isinstance(value, float):
        return f'<c s="{style}"><v>{value}</v></c>'
    if value.startswith("#"):
        return f'<c t="e"><v>{value}</v></c>'
    return f'<c t="inlineStr"><is><t>{value}</t></is></c>'


def xlsx(name: str, rows: Sequence[Sequence[str]]) -> bytes:
    """A sheet of texts, or of cells as `cell` makes them."""
    cells = "".join(
        "<row>" + "".join(c if c.startswith("<c") else cell(c) for c in row) + "</row>"
        for row in rows
    )
    return zipped(
        {
            "[Content_Types].xml": "<Types xmlns="
            '"http://schemas.openxmlformats.org/package/2006/content-types"/>',
            "_rels/.rels": relations(rId1=("officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{OFFICE_RELATIONS}"><sheets>'
            f'<sheet name="{name}" sheetId="1" r:id="rId1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": relations(
                rId1=("worksheet", "worksheets/sheet1.xml"), rId2=("styles", "styles.xml")
            ),
            "xl/styles.xml": f'<styleSheet xmlns="{SHEET}"><cellXfs>{STYLES}</cellXfs>'
            "</styleSheet>",
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{SHEET}"><sheetData>{cells}'
            "</sheetData></worksheet>",
        }
    )


DIAGRAM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"


def panicking_xlsb() -> bytes:
    """A workbook with a missing sheet, on which kreuzberg's reader panics."""
    names = (struct.pack("<I", len(t)) + t.encode("utf-16-le") for t in ("rId9", "Berths"))
    sheet = struct.pack("<II", 0, 1) + b"".join(names)
    return zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "xl/workbook.bin": bytes([0x9C, 0x01, len(sheet)]) + sheet,
            "xl/_rels/workbook.bin.rels": relations(rId1=("worksheet", "worksheets/sheet1.bin")),
        }
    )


def pptx(*slides: tuple[str, str], diagram: Sequence[str] = ()) -> bytes:
    """Slides of a title and a text each, and a diagram on the first."""
    namespaces = (
        'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
        'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
        f'xmlns:r="{OFFICE_RELATIONS}"'
    )
    shape = (
        '<p:sp><p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:r>'
        "<a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"
    )
    order = "".join(f'<p:sldId r:id="r{i}"/>' for i in range(len(slides)))
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": relations(rId1=("officeDocument", "ppt/presentation.xml")),
        "ppt/presentation.xml": f"<p:presentation {namespaces}><p:sldIdLst>{order}</p:sldIdLst>"
        "</p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations(
            **{f"r{i}": ("slide", f"slides/slide{i}.xml") for i in range(len(slides))}
        ),
    }
    for i, (title, text) in enumerate(slides):
        shapes = shape.format(kind="title", text=title) + shape.format(kind="body", text=text)
        if diagram and not i:
            shapes += f'<d:relIds xmlns:d="{DIAGRAM}" r:dm="d1"/>'
        parts[f"ppt/slides/slide{i}.xml"] = f"<p:sld {namespaces}>{shapes}</p:sld>"
    points = "".join(f"<d:t><a:p><a:r><a:t>{text}</a:t></a:r></a:p></d:t>" for text in diagram)
    parts["ppt/diagrams/data1.xml"] = (
        f'<d:model xmlns:d="{DIAGRAM}" {namespaces}>{points}</d:model>'
    )
    parts["ppt/slides/_rels/slide0.xml.rels"] = relations(
        d1=("diagramData", "../diagrams/data1.xml")
    )
    return zipped(parts)


OPEN_TEXT = "application/vnd.oasis.opendocument.text"


def odt(text: str, *, is_encrypted: bool = False, is_template: bool = False) -> bytes:
    office = "urn:oasis:names:tc:opendocument:xmlns"
    secret = "<manifest:encryption-data/>" if is_encrypted else ""
    return zipped(
        {
            "mimetype": f"{OPEN_TEXT}-template" if is_template else OPEN_TEXT,
            "META-INF/manifest.xml": f'<manifest:manifest xmlns:manifest="{office}:manifest:1.0">'
            f"{secret}</manifest:manifest>",
            "content.xml": f'<office:document-content xmlns:office="{office}:office:1.0" '
            f'xmlns:text="{office}:text:1.0"><office:body><office:text><text:p>{text}</text:p>'
            "</office:text></office:body></office:document-content>",
        }
    )


def _open_document(kind: str, body: str) -> bytes:
    office = "urn:oasis:names:tc:opendocument:xmlns"
    spaces = ("office", "text", "table", "presentation")
    declared = " ".join(f'xmlns:{name}="{office}:{name}:1.0"' for name in spaces)
    drawing = f'xmlns:draw="{office}:drawing:1.0"'
    return zipped(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "META-INF/manifest.xml": f'<m:manifest xmlns:m="{office}:manifest:1.0"/>',
            "content.xml": f"<office:document-content {declared} {drawing}><office:body>"
            f"<office:{kind}>{body}</office:{kind}></office:body></office:document-content>",
        }
    )


def ods(name: str, rows: Sequence[Sequence[str]]) -> bytes:
    """A sheet of texts, and of times written as `PT8H30M`."""
    text = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    time = '<table:table-cell office:value-type="time" office:time-value="{}"/>'
    written = (
        "".join((time if cell.startswith("PT") else text).format(cell) for cell in row)
        for row in rows
    )
    made = "".join(f"<table:table-row>{cells}</table:table-row>" for cells in written)
    return _open_document("spreadsheet", f'<table:table table:name="{name}">{made}</table:table>')


def odp(*slides: tuple[str, str, str]) -> bytes:
    """Slides of a title, a text and notes each."""
    box = "<draw:text-box><text:p>{}</text:p></draw:text-box>"
    frame = f'<draw:frame presentation:class="{{}}">{box}</draw:frame>'
    pages = "".join(
        f"<draw:page>{frame.format('title', title)}{frame.format('outline', text)}"
        f"<presentation:notes>{frame.format('notes', notes)}</presentation:notes></draw:page>"
        for title, text, notes in slides
    )
    return _open_document("presentation", pages)


def tarred(parts: dict[str, bytes], mode: Literal["w", "w:gz", "w:bz2", "w:xz"] = "w") -> bytes:
    """An archive that also holds a link to a file outside of it."""
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        for name, content in parts.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
    return buffer.getvalue()


def epub(*chapters: str, is_locked: bool = False) -> bytes:
    items = "".join(
        f'<item id="c{i}" href="ch%20{i}.xhtml" media-type="application/xhtml+xml"/>'
        for i in range(len(chapters))
    )
    spine = "".join(f'<itemref idref="c{i}"/>' for i in range(len(chapters)))
    parts: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:'
        'container"><rootfiles><rootfile full-path="EPUB/book.opf"/></rootfiles></container>',
        "EPUB/book.opf": '<package xmlns="http://www.idpf.org/2007/opf"><metadata '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The Book</dc:title></metadata>'
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>",
    }
    for i, chapter in enumerate(chapters):
        parts[f"EPUB/ch {i}.xhtml"] = f"<html><body>{chapter}</body></html>"
    if is_locked:
        parts["META-INF/rights.xml"] = "<rights/>"
    return zipped(parts)


def mail(*, is_html: bool = False) -> bytes:
    message = EmailMessage()
    message["From"] = "Anna Müller <anna@example.org>"
    message["To"] = "crew@example.org"
    message["Subject"] = "Tides for übermorgen"
    if is_html:
        message.set_content("<p>High water at <b>six</b>.</p>", subtype="html")
    else:
        message.set_content("High water at six.\n", charset="latin-1", cte="quoted-printable")
    message.add_attachment("boat,berth\nAnna,12\n", subtype="csv", filename="berths.csv")
    message.add_attachment(pdf("Chart of the bay"), maintype="application", subtype="pdf")
    message.add_attachment(b"\x89PNG\r\n", maintype="image", subtype="png", filename="map.png")
    forwarded = EmailMessage()
    forwarded["Subject"] = "Lost anchor"
    forwarded.set_content("Seen near buoy 7.\n")
    forwarded.add_attachment("buoy,depth\n7,12\n", subtype="csv", filename="berths.csv")
    message.add_attachment(forwarded)
    return message.as_bytes()
