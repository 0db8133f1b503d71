"""PowerPoint: slides as pages, with tables, charts, diagrams, notes, and alternative texts."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from raglive.extraction.model import ReaderOutput, failed
from raglive.extraction.readers.office_package import OfficePackage
from raglive_contract.errors import ErrorCode

__all__ = ["read_presentation"]

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_D = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_IGNORED_PLACEHOLDERS = {"sldNum", "dt", "ftr", "sldImg"}


def read_presentation(data: bytes, _name: str) -> ReaderOutput:
    """Read a presentation slide by slide, in the order of the show."""
    with OfficePackage(data) as package:
        slides = _slides(package)
        if not slides:
            raise failed(
                ErrorCode.EXTRACTION_ERROR, "The presentation is damaged: it lists no slides."
            )
        texts = [_slide(package, slide) for slide in slides]
        return ReaderOutput(texts, paged=True, title=package.title(), is_markdown=True)


def _slides(package: OfficePackage) -> list[str]:
    main = package.main_part()
    root = package.xml(main)
    if root is None:
        return []
    targets = _targets(package, main)
    order = (targets.get(s.get(f"{_R}id", "")) for s in root.iter(f"{_P}sldId"))
    return [path for path in order if path in package.names]


def _targets(package: OfficePackage, part: str) -> dict[str, str]:
    return {key: path for key, (_, path) in package.relations(part).items()}


def _slide(package: OfficePackage, part: str) -> str:
    root = package.xml(part)
    targets = _targets(package, part)
    lines = list(_shapes(root, package, targets)) if root is not None else []
    notes = next((t for t in targets.values() if "/notesSlides/" in t), None)
    notes_root = package.xml(notes) if notes else None
    if notes_root is not None:
        spoken = list(_shapes(notes_root, package, {}))
        lines += ["Notes:", *spoken] if spoken else []
    return "\n\n".join(lines)


def _shapes(root: Element, package: OfficePackage, targets: dict[str, str]) -> Iterator[str]:
    for element in root.iter():
        if element.tag == f"{_P}sp":
            yield from _text_shape(element)
        elif element.tag == f"{_A}tbl":
            yield "\n".join(_table_rows(element))
        elif element.tag == f"{_C}chart":
            yield from _chart(package.xml(targets.get(element.get(f"{_R}id", ""), "")))
        elif element.tag == f"{_D}relIds":
            yield from _diagram(package.xml(targets.get(element.get(f"{_R}dm", ""), "")))
        elif element.tag == f"{_P}pic":
            picture = element.find(f".//{_P}cNvPr")
            described = picture.get("descr", "") if picture is not None else ""
            yield from filter(None, [" ".join(described.split())])


def _text_shape(shape: Element) -> Iterator[str]:
    placeholder = shape.find(f".//{_P}ph")
    kind = placeholder.get("type", "") if placeholder is not None else ""
    if kind in _IGNORED_PLACEHOLDERS:
        return
    text = "\n".join(filter(None, map(_paragraph, shape.iter(f"{_A}p"))))
    if text:
        yield f"# {' '.join(text.split())}" if kind in {"title", "ctrTitle"} else text


def _paragraph(paragraph: Element) -> str:
    pieces = (
        "\n" if node.tag == f"{_A}br" else node.text or ""
        for node in paragraph.iter()
        if node.tag in {f"{_A}t", f"{_A}br"}
    )
    return "".join(pieces).strip()


def _table_rows(table: Element) -> Iterator[str]:
    for row in table.iter(f"{_A}tr"):
        cells = (" ".join(map(_paragraph, c.iter(f"{_A}p"))).strip() for c in row.iter(f"{_A}tc"))
        yield " | ".join(cells)


def _diagram(root: Element | None) -> Iterator[str]:
    """Yield the texts of a SmartArt diagram, one line each."""
    paragraphs = root.iter(f"{_A}p") if root is not None else ()
    yield from filter(None, ["\n".join(filter(None, map(_paragraph, paragraphs)))])


def _chart(root: Element | None) -> Iterator[str]:
    """Yield a chart's title, and each of its series with categories and values."""
    if root is None:
        return
    title = root.find(f".//{_C}title")
    if title is not None:
        yield from filter(None, [" ".join(map(_paragraph, title.iter(f"{_A}p"))).strip()])
    for series in root.iter(f"{_C}ser"):
        names, *values = (
            [v.text or "" for v in series.iterfind(f"{_C}{tag}//{_C}v")]
            for tag in ("tx", "cat", "val")
        )
        pairs = (": ".join(filter(None, pair)) for pair in zip(*values, strict=False))
        yield f"{' '.join(names)}: {'; '.join(pairs)}".strip(": ")
