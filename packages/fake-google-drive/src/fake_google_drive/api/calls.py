"""One authorized call of a Drive method: its user, parameters and selected fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request

from fake_google_drive.errors import DriveError
from fake_google_drive.faults import Fault
from fake_google_drive.google import FakeGoogle
from fake_google_drive.items import Item, SharedDrive
from fake_google_drive.oauth import AccessGrant
from fake_google_drive.resources import ResourceViewer
from fake_google_drive.schema import FLAGS, PARAMETERS, RESOURCES
from fake_google_drive.selection import Selection, SelectionError, parse_fields
from fake_google_drive.tree import Tree

__all__ = ["Call", "read_fields", "read_object", "require_known"]

RESOURCE_KEYS = "X-Goog-Drive-Resource-Keys"
_STANDARD = {
    *("$.xgafv", "access_token", "alt", "callback", "fields", "key", "oauth_token"),
    *("prettyPrint", "quotaUser", "uploadType", "upload_protocol", "userIp"),
}
_OLD_NAMES = {
    "supportsAllDrives": "supportsTeamDrives",
    "includeItemsFromAllDrives": "includeTeamDriveItems",
    "driveId": "teamDriveId",
}


@dataclass(frozen=True, slots=True)
class Call:
    """An authorized request and what its handler needs."""

    google: FakeGoogle
    grant: AccessGrant
    request: Request
    parameters: Mapping[str, str]
    fields: Selection | None
    fault: Fault | None

    @property
    def user(self) -> str:
        """The e-mail address of the token's user."""
        return self.grant.user

    @property
    def tree(self) -> Tree:
        """All items of the Drive."""
        return self.google.drive.tree

    @property
    def viewer(self) -> ResourceViewer:
        """The items from the user's point of view, for building resources."""
        return ResourceViewer(self.tree, self.user, str(self.request.base_url).rstrip("/"))

    def text(self, name: str) -> str | None:
        """Return a parameter, or its value under the older Team Drive name."""
        old = _OLD_NAMES.get(name, name)
        return self.parameters.get(name, self.parameters.get(old)) or None

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean parameter."""
        value = self.text(name)
        return default if value is None else value.lower() == "true"

    def page_size(self, default: int, top: int) -> int:
        """Return the page size, limited to `top`; raise `DriveError` below 1."""
        value = self.text("pageSize")
        if value is None:
            return default
        if not value.isdecimal() or int(value) < 1:
            message = f"Invalid value '{value}'. Values must be within the range: [1, {top}]"
            raise DriveError(400, "invalidParameter", message, location="pageSize")
        return min(int(value), top)

    def item(self, file_id: str) -> Item:
        """Return an item visible to the user (`root`: their My Drive), or raise `DriveError`."""
        item = self.tree.my_drives[self.user] if file_id == "root" else self.tree.items.get(file_id)
        if item is None or not (
            self.tree.is_visible(item, self.user) or self.is_opened_by_key(item)
        ):
            raise DriveError.file_not_found(file_id)
        return item

    def is_opened_by_key(self, item: Item) -> bool:
        """Return whether the request has the resource key of an item that is shared by link."""
        key = self.tree.resource_key(item)
        if key is None:
            return False
        given = self.request.headers.get(RESOURCE_KEYS, "").split(",")
        in_link = (self.parameters.get("id"), self.parameters.get("resourcekey"))
        return f"{item.id}/{key}" in [each.strip() for each in given] or in_link == (item.id, key)

    def shared_drive(self, drive_id: str) -> SharedDrive:
        """Return a shared drive of which the user is a member, or raise `DriveError`."""
        drive = self.tree.shared_drives.get(drive_id)
        if drive is None:
            raise DriveError.drive_not_found(drive_id)
        if self.user not in drive.members:
            message = "The attempted action requires shared drive membership."
            raise DriveError(403, "teamDriveMembershipRequired", message)
        return drive


def require_known(method: str, parameters: Mapping[str, str]) -> None:
    """Raise `DriveError` for an unknown parameter, or a flag that is neither true nor false."""
    for name, value in parameters.items():
        if name in FLAGS and value.lower() not in {"true", "false"}:
            raise DriveError.invalid(name)
        if name not in _STANDARD and name not in PARAMETERS[method]:
            message = (
                f'Invalid JSON payload received. Unknown name "{name}": '
                "Cannot bind query parameter. Field could not be found in request message."
            )
            raise DriveError(400, "badRequest", message, rpc_status="INVALID_ARGUMENT")


def read_fields(text: str | None, resource: str, default: Selection | None) -> Selection | None:
    """Return the selected fields, or `default` without `fields`; raise `DriveError`."""
    if not text:
        return default
    try:
        return parse_fields(text, RESOURCES[resource])
    except SelectionError as error:
        message = f"Invalid field selection {error}"
        raise DriveError(400, "invalidParameter", message, location="fields") from None


def read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a request, or raise `DriveError`."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise DriveError(400, "parseError", "Parse Error")
    return found
