"""Parts of Office Open XML documents, and their relationships."""

from __future__ import annotations

import posixpath
from xml.etree.ElementTree import Element

from raglive.extraction.model import failed
from raglive.extraction.readers.zip_container import ZipContainer
from raglive_contract.errors import ErrorCode

__all__ = ["OfficePackage", "Relation"]

Relation = tuple[str, str]
"""The kind of a related part, such as "header", and its path."""

_CORE_TITLE = "{http://purl.org/dc/elements/1.1/}title"
# Strict documents differ from usual ones in their namespaces.
_STRICT = b"http://purl.oclc.org/ooxml/"
_NAMESPACES = (
    (_STRICT + b"wordprocessingml/main", b"wordprocessingml/2006/main"),
    (_STRICT + b"presentationml/main", b"presentationml/2006/main"),
    (_STRICT + b"spreadsheetml/main", b"spreadsheetml/2006/main"),
    (_STRICT + b"officeDocument/relationships", b"officeDocument/2006/relationships"),
    (_STRICT + b"officeDocument/math", b"officeDocument/2006/math"),
    (_STRICT + b"drawingml/", b"drawingml/2006/"),
)


class OfficePackage(ZipContainer):
    """A document whose parts are found by its relationships, and not by their usual names."""

    def main_part(self) -> str:
        """Return the path of the main part. Raises `Refusal` if there is none."""
        found = [path for kind, path in self.relations("").values() if kind == "officeDocument"]
        part = next((path for path in found if path in self.names), None)
        if part is None:
            message = "The file is damaged: its main part is missing."
            raise failed(ErrorCode.EXTRACTION_ERROR, message)
        return part

    def relations(self, part: str) -> dict[str, Relation]:
        """Return the parts to which a part refers, by the identifiers of the references."""
        folder, name = posixpath.split(part)
        root = self.xml(posixpath.join(folder, "_rels", f"{name}.rels"))
        return {
            found.get("Id", ""): (
                found.get("Type", "").rpartition("/")[2],
                posixpath.normpath(posixpath.join(folder, found.get("Target", ""))).lstrip("/"),
            )
            for found in (root if root is not None else ())
            if found.get("TargetMode") != "External"
        }

    def title(self) -> str | None:
        """Return the title in the document's properties."""
        paths = [path for kind, path in self.relations("").values() if kind == "core-properties"]
        root = self.xml(paths[0]) if paths else None
        return root.findtext(_CORE_TITLE) if root is not None else None

    def part(self, name: str) -> bytes:
        """Return the content of a part in the usual namespaces, b"" if it does not exist."""
        data = self.read(name) or b""
        if _STRICT in data:
            for strict, usual in _NAMESPACES:
                data = data.replace(strict, b"http://schemas.openxmlformats.org/" + usual)
        return data

    def xml(self, name: str) -> Element | None:
        """Return the root of an XML part, None if it does not exist."""
        return self.parsed(name, self.part(name) or None)
