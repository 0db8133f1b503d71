"""Items, shared drives and changes as the JSON of the Drive v3 interface."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, NamedTuple
from urllib.parse import quote

from fake_google_drive.change_logs import LoggedChange
from fake_google_drive.items import Item, SharedDrive
from fake_google_drive.mime import DOCUMENT, EXPORT_FORMATS, PRESENTATION, SPREADSHEET
from fake_google_drive.selection import Selection, select
from fake_google_drive.tree import Corpus, Tree

__all__ = ["ResourceViewer", "change_resource", "drive_resource", "file_resource", "user_resource"]

DEFAULT_FILE: Selection = dict.fromkeys(("kind", "id", "name", "mimeType", "driveId"))
_EDITORS = {DOCUMENT: "document", SPREADSHEET: "spreadsheets", PRESENTATION: "presentation"}


class ResourceViewer(NamedTuple):
    """The user for whom resources are built; links begin with `url`, without a final slash."""

    tree: Tree
    user: str
    url: str


def rfc3339(milliseconds: int) -> str:
    """Return a time in the format of Drive."""
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def user_resource(email: str, viewer: ResourceViewer) -> dict[str, Any]:
    """Return the JSON of a user."""
    permission = int.from_bytes(hashlib.blake2b(email.encode(), digest_size=8).digest())
    return {
        "kind": "drive#user",
        "displayName": email.partition("@")[0],
        "me": email == viewer.user,
        "permissionId": f"{permission:020d}",
        "emailAddress": email,
    }


def drive_resource(drive: SharedDrive) -> dict[str, Any]:
    """Return the JSON of a shared drive."""
    return {
        "kind": "drive#drive",
        "id": drive.id,
        "name": drive.name,
        "createdTime": rfc3339(drive.created),
        "hidden": False,
        "capabilities": {"canDownload": True, "canListChildren": True, "canReadRevisions": True},
    }


def file_resource(
    item: Item, viewer: ResourceViewer, selection: Selection | None
) -> dict[str, Any]:
    """Return the selected fields of an item; `None` selects all."""
    wanted = _FIELDS if selection is None or "*" in selection else selection
    found = {}
    for name in wanted:
        field = _FIELDS.get(name)
        value = None if field is None else field(item, viewer)
        if value is not None:
            below = None if selection is None else selection.get(name)
            found[name] = select(value, below)
    return found


def change_resource(
    change: LoggedChange,
    corpus: Corpus,
    viewer: ResourceViewer,
    selection: Selection | None,
    *,
    include_corpus_removals: bool,
) -> dict[str, Any]:
    """Return the JSON of a change, with its item's present state."""
    found: dict[str, Any] = {
        "kind": "drive#change",
        "changeType": change.kind,
        "type": change.kind,
        "time": rfc3339(change.time),
    }
    if change.kind == "drive":
        return found | _changed_drive(change.id, viewer)
    item = viewer.tree.items.get(change.id)
    removed = item is None or not viewer.tree.in_corpus(item, corpus)
    found |= {"removed": removed, "fileId": change.id}
    if corpus[0] == "drive":
        found["driveId"] = corpus[1]
    if item is not None and (
        not removed or (include_corpus_removals and viewer.tree.is_visible(item, viewer.user))
    ):
        found["file"] = file_resource(item, viewer, selection)
    return found


def _changed_drive(drive_id: str, viewer: ResourceViewer) -> dict[str, Any]:
    drive = viewer.tree.shared_drives.get(drive_id)
    if drive is None or viewer.user not in drive.members:
        return {"removed": True, "driveId": drive_id}
    return {"removed": False, "driveId": drive_id, "drive": drive_resource(drive)}


def _drive_id(item: Item, viewer: ResourceViewer) -> str | None:
    drive = viewer.tree.shared_drive(item)
    return None if drive is None else drive.id


def _parents(item: Item, viewer: ResourceViewer) -> list[str] | None:
    if item.parent is None:
        return None
    parent = viewer.tree.items[item.parent]
    seen = viewer.tree.is_visible(parent, viewer.user) or viewer.tree.resource_key(parent)
    return [item.parent] if seen else None


def _shortcut(item: Item, viewer: ResourceViewer) -> dict[str, Any] | None:
    if item.target_id is None:
        return None
    found = {"targetId": item.target_id, "targetMimeType": item.target_mime_type}
    target = viewer.tree.items.get(item.target_id)
    key = None if target is None else viewer.tree.resource_key(target)
    return found | ({} if key is None else {"targetResourceKey": key})


def _capabilities(item: Item, viewer: ResourceViewer) -> dict[str, bool]:
    mine = viewer.user == item.owner
    return {
        "canAddChildren": mine and item.is_folder,
        "canComment": mine,
        "canCopy": item.can_download and not item.is_folder,
        "canDelete": mine,
        "canDownload": item.can_download and not item.is_folder,
        "canEdit": mine,
        "canListChildren": item.is_folder,
        "canReadRevisions": item.can_download and not item.is_folder,
        "canRename": mine,
        "canShare": mine,
        "canTrash": mine,
        "canUntrash": mine,
    }


def _size(item: Item, _: ResourceViewer) -> str | None:
    if item.content is not None:
        return str(item.content.size)
    return str(max(each.size for each in item.exports.values())) if item.exports else None


def _checksum(at: int) -> Callable[[Item, ResourceViewer], str | None]:
    return lambda item, _: None if item.content is None else item.content.checksums[at]


def _revision(item: Item, _: ResourceViewer) -> str | None:
    if item.content is None:
        return None
    text = f"{item.id}:{item.revision}".encode()
    return "0B" + hashlib.blake2b(text, digest_size=24).hexdigest()


def _extension(item: Item, _: ResourceViewer) -> str | None:
    return None if item.content is None else PurePath(item.name).suffix.removeprefix(".")


def _links(item: Item, viewer: ResourceViewer) -> dict[str, str] | None:
    if not item.exports:
        return None
    names = EXPORT_FORMATS.get(item.mime_type, {})
    key = viewer.tree.resource_key(item)
    which = f"id={item.id}" if key is None else f"id={item.id}&resourcekey={key}"
    return {
        format_: f"{viewer.url}/feeds/download/Export?{which}&exportFormat={names[format_]}"
        for format_ in item.exports
        if format_ in names
    }


def _web_view(item: Item, _: ResourceViewer) -> str:
    if item.is_folder:
        return f"https://drive.google.com/drive/folders/{item.id}"
    if item.mime_type in _EDITORS:
        kind = _EDITORS[item.mime_type]
        return f"https://docs.google.com/{kind}/d/{item.id}/edit?usp=drivesdk"
    return f"https://drive.google.com/file/d/{quote(item.id)}/view?usp=drivesdk"


def _web_content(item: Item, _: ResourceViewer) -> str | None:
    if item.content is None:
        return None
    return f"https://drive.google.com/uc?id={item.id}&export=download"


def _shared_with_me(item: Item, viewer: ResourceViewer) -> str | None:
    at = item.readers.get(viewer.user)
    return None if at is None else rfc3339(at)


def _trashed_time(item: Item, viewer: ResourceViewer) -> str | None:
    if item.trashed is None or _drive_id(item, viewer) is None:
        return None
    return rfc3339(item.trashed)


def _outside_drives(
    field: Callable[[Item, ResourceViewer], Any],
) -> Callable[[Item, ResourceViewer], Any]:
    return lambda item, viewer: None if _drive_id(item, viewer) else field(item, viewer)


_FIELDS: dict[str, Callable[[Item, ResourceViewer], Any]] = {
    "kind": lambda _item, _viewer: "drive#file",
    "id": lambda item, _: item.id,
    "name": lambda item, _: item.name,
    "mimeType": lambda item, _: item.mime_type,
    "parents": _parents,
    "driveId": _drive_id,
    "teamDriveId": _drive_id,
    "spaces": lambda _item, _viewer: ["drive"],
    "version": lambda item, _: str(item.version),
    "createdTime": lambda item, _: rfc3339(item.created),
    "modifiedTime": lambda item, _: rfc3339(item.modified),
    "sharedWithMeTime": _shared_with_me,
    "trashed": lambda item, viewer: viewer.tree.is_trashed(item),
    "explicitlyTrashed": lambda item, _: item.is_explicitly_trashed,
    "trashedTime": _trashed_time,
    "starred": lambda _item, _viewer: False,
    "ownedByMe": _outside_drives(lambda item, viewer: item.owner == viewer.user),
    "owners": _outside_drives(lambda item, viewer: [user_resource(item.owner or "", viewer)]),
    "shared": _outside_drives(lambda item, viewer: len(viewer.tree.viewers(item)) > 1),
    "capabilities": _capabilities,
    "copyRequiresWriterPermission": lambda item, _: not item.can_download,
    "resourceKey": lambda item, viewer: viewer.tree.resource_key(item),
    "shortcutDetails": _shortcut,
    "size": _size,
    "quotaBytesUsed": lambda item, viewer: _size(item, viewer) or "0",
    "md5Checksum": _checksum(0),
    "sha1Checksum": _checksum(1),
    "sha256Checksum": _checksum(2),
    "headRevisionId": _revision,
    "originalFilename": lambda item, _: item.name if item.content is not None else None,
    "fileExtension": _extension,
    "fullFileExtension": _extension,
    "exportLinks": _links,
    "webViewLink": _web_view,
    "webContentLink": _web_content,
}
