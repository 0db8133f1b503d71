"""A file of Google Drive: its metadata, its version, and its export formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

__all__ = ["FIELDS", "FOLDER", "SHORTCUT", "DriveFile", "export_plan"]

FOLDER = "application/vnd.google-apps.folder"
SHORTCUT = "application/vnd.google-apps.shortcut"
_GOOGLE = "application/vnd.google-apps."
_OFFICE = "application/vnd.openxmlformats-officedocument."
_MARKDOWN = ("text/markdown", "md")
_DOCX = (f"{_OFFICE}wordprocessingml.document", "docx")
_XLSX = (f"{_OFFICE}spreadsheetml.sheet", "xlsx")
_PPTX = (f"{_OFFICE}presentationml.presentation", "pptx")
_PDF = ("application/pdf", "pdf")
_EXPORTS = {
    "document": (_MARKDOWN, _DOCX),
    "spreadsheet": (_XLSX,),  # CSV would contain only the first sheet
    "presentation": (_PPTX,),
    "drawing": (_PDF,),
}
FIELDS = (
    "id,name,mimeType,parents,driveId,trashed,modifiedTime,size,md5Checksum,sha256Checksum,"
    "webViewLink,resourceKey,capabilities/canDownload,"
    "shortcutDetails(targetId,targetMimeType,targetResourceKey)"
)


@dataclass(frozen=True, slots=True)
class DriveFile:
    """The metadata of a file, folder or shortcut."""

    id: str
    name: str
    mime_type: str
    parent: str | None = None
    drive_id: str | None = None
    trashed: bool = False
    modified: str = ""
    size: int | None = None
    checksum: str | None = None  # "sha256:..." or "md5:..."
    url: str | None = None
    can_download: bool = True
    target_id: str | None = None
    target_mime_type: str | None = None
    resource_key: str | None = None  # needed to read it if it is shared by link only
    target_resource_key: str | None = None

    @classmethod
    def of(cls, found: dict[str, Any]) -> Self:
        """Parse the JSON of the Drive API."""
        shortcut = found.get("shortcutDetails") or {}
        size = found.get("size")
        return cls(
            id=found["id"],
            name=_storable(found.get("name") or found["id"]),
            mime_type=found.get("mimeType", ""),
            parent=next(iter(found.get("parents") or ()), None),
            drive_id=found.get("driveId"),
            trashed=bool(found.get("trashed")),
            modified=found.get("modifiedTime", ""),
            size=int(size) if size is not None else None,
            checksum=_checksum(found),
            url=found.get("webViewLink"),
            can_download=bool((found.get("capabilities") or {}).get("canDownload", True)),
            target_id=shortcut.get("targetId"),
            target_mime_type=shortcut.get("targetMimeType"),
            resource_key=found.get("resourceKey"),
            target_resource_key=shortcut.get("targetResourceKey"),
        )

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.mime_type == FOLDER

    @property
    def is_shortcut(self) -> bool:
        """Whether it is a shortcut that is followed: to a file, not to a folder."""
        return self.mime_type == SHORTCUT and not self.is_shortcut_to_folder

    @property
    def is_shortcut_to_folder(self) -> bool:
        """Whether it is a shortcut to a folder, which is not followed but skipped."""
        return self.mime_type == SHORTCUT and self.target_mime_type == FOLDER

    @property
    def is_native(self) -> bool:
        """Whether it is a Google document, which has no content of its own and must be exported."""
        return self.mime_type.startswith(_GOOGLE)

    @property
    def content_key(self) -> str:
        """A key that changes whenever the content may have changed.

        Google documents have no checksum, so their modification time is used.
        """
        key = self.checksum or f"modified:{self.modified}"
        return key if self.can_download else f"{key}:withheld"

    @property
    def read_as(self) -> str:
        """The name whose extension tells the extractor the format."""
        exports = export_plan(self.mime_type)
        return f"{self.name}.{exports[0][1]}" if exports else self.name


def export_plan(mime_type: str) -> tuple[tuple[str, str], ...]:
    """Return the export formats (media type, extension), best first; empty if there are none."""
    return _EXPORTS.get(mime_type.removeprefix(_GOOGLE), ()) if _GOOGLE in mime_type else ()


def _checksum(found: dict[str, Any]) -> str | None:
    for algorithm in ("sha256", "md5"):
        value = found.get(f"{algorithm}Checksum")
        if value:
            return f"{algorithm}:{value}"
    return None


def _storable(name: str) -> str:
    """Remove characters that Postgres and JSON cannot store."""
    return name.replace("\0", "").encode("utf-8", "replace").decode("utf-8") or "untitled"
