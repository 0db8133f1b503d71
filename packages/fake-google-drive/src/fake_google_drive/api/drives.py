"""`drives` and `about`: shared drives, and the user."""

from __future__ import annotations

from typing import Any

from fake_google_drive.api.calls import Call
from fake_google_drive.errors import DriveError
from fake_google_drive.mime import EXPORT_FORMATS
from fake_google_drive.resources import drive_resource, user_resource

__all__ = ["get_about", "get_drive", "list_drives"]


def get_about(call: Call) -> dict[str, Any]:
    """Answer `about.get`, which requires `fields`."""
    if not call.parameters.get("fields"):
        message = "The 'fields' parameter is required for this method."
        raise DriveError(400, "required", message, location="fields")
    return {
        "kind": "drive#about",
        "user": user_resource(call.user, call.viewer),
        "storageQuota": {"usage": "0", "usageInDrive": "0", "usageInDriveTrash": "0"},
        "exportFormats": {each: list(formats) for each, formats in EXPORT_FORMATS.items()},
        "canCreateDrives": False,
        "appInstalled": True,
    }


def list_drives(call: Call) -> dict[str, Any]:
    """Answer `drives.list`."""
    mine = [drive for drive in call.tree.shared_drives.values() if call.user in drive.members]
    token = call.text("pageToken") or "0"
    if not token.isdecimal():
        raise DriveError.invalid("pageToken")
    start, size = int(token), call.page_size(10, 100)
    found: dict[str, Any] = {
        "kind": "drive#driveList",
        "drives": [drive_resource(drive) for drive in mine[start : start + size]],
    }
    more = start + size < len(mine)
    return found | {"nextPageToken": str(start + size)} if more else found


def get_drive(call: Call) -> dict[str, Any]:
    """Answer `drives.get`; for others than members, the drive does not exist."""
    drive_id = call.request.path_params["drive_id"]
    drive = call.tree.shared_drives.get(drive_id)
    if drive is None or call.user not in drive.members:
        raise DriveError.drive_not_found(drive_id)
    return drive_resource(drive)
