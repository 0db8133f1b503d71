"""Values of form fields in PDFs, which are not part of the text of a page."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from xml.etree import ElementTree

from raglive.extraction.model import skipped
from raglive_contract.errors import ErrorCode

__all__ = ["with_form_values"]

_FORM = b"/AcroForm"
_OBJECT_STREAM = re.compile(rb"/ObjStm\b.{0,300}?stream\r?\n", re.S)
_MAX_INFLATED_BYTES = 1 << 20
_IS_PASSWORD = 1 << 13
_MAX_ANCESTORS = 32
_TEMPLATE_TEXTS = {"text", "exData"}


def with_form_values(data: bytes, pages: list[str]) -> list[str]:
    """Add the values of form fields to the texts of their pages.

    An XFA form, whose pages only ask to wait for its viewer, is replaced by its labels and values.
    Raises `Refusal` if such a form has none.
    """
    if not _has_form(data):
        return pages
    form = _read_form(data)
    if form is None:
        return pages
    values, labels = form
    if labels is None:
        return [_joined(page, lines) for page, lines in zip(pages, values, strict=False)]
    if not labels:
        raise skipped(ErrorCode.NO_TEXT, "This XFA form has no text that raglive can read.")
    return ["\n".join(labels)]


def _joined(page: str, lines: list[str]) -> str:
    return "\n".join([page.rstrip("\n"), *lines]) if lines else page


def _has_form(data: bytes) -> bool:
    """Check for a form in the file, and in its compressed objects, without reading the document."""
    return _FORM in data or any(_FORM in inflated for inflated in _object_streams(data))


def _object_streams(data: bytes) -> Iterator[bytes]:
    view = memoryview(data)
    for found in _OBJECT_STREAM.finditer(data):
        try:
            yield zlib.decompressobj().decompress(view[found.end() :], _MAX_INFLATED_BYTES)
        except zlib.error:
            continue  # not compressed, or encrypted


def _read_form(data: bytes) -> tuple[list[list[str]], list[str] | None] | None:
    """Return the values of each page, and the lines of an XFA form that replaces the pages."""
    from pypdf import PdfReader  # noqa: PLC0415 - takes 0.3 s, and few PDFs have forms

    try:
        reader = PdfReader(BytesIO(data))
        catalog = reader.root_object
        form = catalog.get("/AcroForm", {}).get_object()
        has_fields = bool(form.get("/Fields")) and not catalog.get("/NeedsRendering")
        if "/XFA" in form and not has_fields:
            return [], list(dict.fromkeys(_xfa_lines(form["/XFA"].get_object())))
        return [list(_values(page)) for page in reader.pages], None
    except MemoryError:
        raise
    except Exception:
        return None


def _values(page: Any) -> Iterator[str]:
    for reference in page.get("/Annots", ()) or ():
        annotation = reference.get_object()
        if annotation.get("/Subtype") != "/Widget":
            continue
        value = _shown(annotation)
        if value:
            yield ": ".join(filter(None, (_name(annotation), value)))


def _lineage(field: Any) -> Iterator[Any]:
    """Yield a field and its ancestors, from which it inherits."""
    for _ in range(_MAX_ANCESTORS):
        yield field
        if "/Parent" not in field:
            return
        field = field["/Parent"].get_object()


def _inherited(field: Any, key: str) -> Any:
    return next((it[key].get_object() for it in _lineage(field) if key in it), None)


def _name(field: Any) -> str:
    label = _inherited(field, "/TU")
    names = [str(it["/T"]) for it in _lineage(field) if "/T" in it]
    return " ".join(str(label or ".".join(reversed(names))).split())


def _shown(field: Any) -> str:
    """Return the value as the field shows it, "" for an empty field, password or signature."""
    kind, value = _inherited(field, "/FT"), _inherited(field, "/V")
    if kind == "/Tx":
        is_password = int(_inherited(field, "/Ff") or 0) & _IS_PASSWORD
        return "" if is_password or value is None else str(value).strip()
    if kind == "/Ch":
        chosen = value if isinstance(value, list) else [value]
        return ", ".join(_option(field, it) for it in chosen if it)
    is_checked = kind == "/Btn" and field.get("/AS", value) not in {None, "/Off"}
    return str(field.get("/AS", value)).removeprefix("/") if is_checked else ""


def _option(field: Any, value: Any) -> str:
    """Return the text of a choice, which is stored as a pair of a code and a text."""
    for option in _inherited(field, "/Opt") or ():
        pair = option.get_object()
        if isinstance(pair, list) and len(pair) == 2 and pair[0] == value:
            return str(pair[1])
    return str(value)


def _xfa_lines(packets: Any) -> Iterator[str]:
    """Yield the labels of an XFA form, and its values with their names."""
    streams = packets[1::2] if isinstance(packets, list) else [packets]
    root = ElementTree.fromstring(b"".join(it.get_object().get_data() for it in streams))  # noqa: S314
    for element in root.iter():
        space, _, name = str(element.tag).removeprefix("{").rpartition("}")
        if "xfa-template" in space and name in _TEMPLATE_TEXTS:
            yield " ".join("".join(element.itertext()).split())
        elif "xfa-data" in space and name == "data":
            for leaf in element.iter():
                text = " ".join((leaf.text or "").split())
                if text and not len(leaf):
                    yield f"{str(leaf.tag).rpartition('}')[2]}: {text}"
