"""A file of Google Drive: what it is, what tells its versions apart, how its bytes are had."""

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
    "spreadsheet": (_XLSX,),  # CSV would be the first sheet only
    "presentation": (_PPTX,),
    "drawing": (_PDF,),
}
FIELDS = (
    "id,name,mimeType,parents,driveId,trashed,modifiedTime,size,md5Checksum,sha256Checksum,"
    "webViewLink,capabilities/canDownload,shortcutDetails(targetId,targetMimeType)"
)


@dataclass(frozen=True, slots=True)
class DriveFile:
    """A file, folder or shortcut as Google Drive describes it."""

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

    @classmethod
    def of(cls, found: dict[str, Any]) -> Self:
        """Read Drive's JSON."""
        shortcut = found.get("shortcutDetails") or {}
        size = found.get("size")
        return cls(
            id=found["id"],
            name=_readable(found.get("name") or found["id"]),
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
        )

    @property
    def is_folder(self) -> bool:
        """Say whether it holds others."""
        return self.mime_type == FOLDER

    @property
    def is_shortcut(self) -> bool:
        """Say whether it stands for another."""
        return self.mime_type == SHORTCUT

    @property
    def is_native(self) -> bool:
        """Say whether it is a document of Google's own, which has no bytes but exports."""
        return self.mime_type.startswith(_GOOGLE)

    @property
    def content_key(self) -> str:
        """Return what changes whenever the content may have.

        Google's own documents have no checksum; what their export holds is compared by chunks.
        """
        key = self.checksum or f"modified:{self.modified}"
        return key if self.can_download else f"{key}:withheld"

    @property
    def read_as(self) -> str:
        """Return the name under which an extractor knows what the content is."""
        exports = export_plan(self.mime_type)
        return f"{self.name}.{exports[0][1]}" if exports else self.name


def export_plan(mime_type: str) -> tuple[tuple[str, str], ...]:
    """Return media types and suffixes to export to, best first; none: it cannot be exported."""
    return _EXPORTS.get(mime_type.removeprefix(_GOOGLE), ()) if _GOOGLE in mime_type else ()


def _checksum(found: dict[str, Any]) -> str | None:
    for algorithm in ("sha256", "md5"):
        value = found.get(f"{algorithm}Checksum")
        if value:
            return f"{algorithm}:{value}"
    return None


def _readable(name: str) -> str:
    """Return the name without what Postgres and JSON cannot hold."""
    return name.replace("\0", "").encode("utf-8", "replace").decode("utf-8") or "untitled"
