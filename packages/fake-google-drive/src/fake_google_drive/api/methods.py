"""The table of Drive v3 methods: verb, path, handler, and the fields answered by default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fake_google_drive.api import changes, drives, files, writes
from fake_google_drive.resources import DEFAULT_FILE
from fake_google_drive.selection import Selection

__all__ = ["METHODS", "DriveMethod"]

_LIST_DEFAULT: Selection = {
    "kind": None, "incompleteSearch": None, "nextPageToken": None, "files": DEFAULT_FILE,
}  # fmt: skip
_CHANGES_DEFAULT: Selection = {
    "kind": None,
    "nextPageToken": None,
    "newStartPageToken": None,
    "changes": {
        **dict.fromkeys(("kind", "type", "changeType", "time", "removed", "fileId", "driveId")),
        "drive": dict.fromkeys(("kind", "id", "name")),
        "file": DEFAULT_FILE,
    },
}


class DriveMethod(NamedTuple):
    """One method; `name` is Google's, such as `files.list`."""

    verb: str
    path: str
    name: str
    answer: Callable[..., Any]
    resource: str = ""
    default: Selection | None = None
    takes_body: bool = False


METHODS = [
    DriveMethod("GET", "/drive/v3/about", "about.get", drives.get_about, "About"),
    DriveMethod("GET", "/drive/v3/drives", "drives.list", drives.list_drives, "DriveList"),
    DriveMethod("GET", "/drive/v3/drives/{drive_id}", "drives.get", drives.get_drive, "Drive"),
    DriveMethod(
        "GET", "/drive/v3/changes/startPageToken", "changes.getStartPageToken",
        changes.get_start_page_token, "StartPageToken",
    ),
    DriveMethod(
        "GET", "/drive/v3/changes", "changes.list",
        changes.list_changes, "ChangeList", _CHANGES_DEFAULT,
    ),
    DriveMethod(
        "POST", "/drive/v3/changes/watch", "changes.watch",
        changes.watch_changes, "Channel", takes_body=True,
    ),
    DriveMethod(
        "POST", "/drive/v3/channels/stop", "channels.stop", changes.stop_channel, takes_body=True
    ),
    DriveMethod(
        "GET", "/drive/v3/files", "files.list", files.list_files, "FileList", _LIST_DEFAULT
    ),
    DriveMethod(
        "GET", "/drive/v3/files/{file_id}", "files.get", files.get_file, "File", DEFAULT_FILE
    ),
    DriveMethod(
        "GET", "/download/drive/v3/files/{file_id}", "files.get",
        files.get_file, "File", DEFAULT_FILE,
    ),
    DriveMethod("GET", "/drive/v3/files/{file_id}/export", "files.export", files.export_file),
    DriveMethod(
        "POST", "/drive/v3/files/{file_id}/download", "files.download",
        files.download_file, "Operation",
    ),
    DriveMethod(
        "GET", "/drive/v3/operations/{name}", "operations.get", files.get_operation, "Operation"
    ),
    *(
        DriveMethod(
            "POST", f"{upload}/drive/v3/files", "files.create",
            writes.create_file, "File", DEFAULT_FILE, takes_body=True,
        )
        for upload in ("", "/upload")
    ),
    *(
        DriveMethod(
            "PATCH", f"{upload}/drive/v3/files/{{file_id}}", "files.update",
            writes.update_file, "File", DEFAULT_FILE, takes_body=True,
        )
        for upload in ("", "/upload")
    ),
    DriveMethod("DELETE", "/drive/v3/files/{file_id}", "files.delete", writes.delete_file),
    DriveMethod(
        "POST", "/drive/v3/files/{file_id}/copy", "files.copy",
        writes.copy_file, "File", DEFAULT_FILE, takes_body=True,
    ),
    DriveMethod(
        "POST", "/drive/v3/files/{file_id}/permissions", "permissions.create",
        writes.create_permission, "Permission", takes_body=True,
    ),
    DriveMethod(
        "GET", "/drive/v3/files/{file_id}/permissions", "permissions.list",
        writes.list_permissions, "PermissionList",
    ),
    DriveMethod(
        "DELETE", "/drive/v3/files/{file_id}/permissions/{permission_id}", "permissions.delete",
        writes.delete_permission,
    ),
    DriveMethod("GET", "/feeds/download/Export", "files.exportLink", files.export_by_link),
    DriveMethod(
        "GET", "/download/operations/{name}", "files.downloadOperation", files.get_operation_media
    ),
]  # fmt: skip
