"""One call of the Drive v3 interface: who asks, with which parameters, for which fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from fake_google_drive.errors import DriveError
from fake_google_drive.faults import Fault
from fake_google_drive.google import FakeGoogle
from fake_google_drive.items import Item, SharedDrive
from fake_google_drive.oauth import Grant
from fake_google_drive.resources import Viewer
from fake_google_drive.schema import FLAGS, PARAMETERS, RESOURCES
from fake_google_drive.selection import Selection, SelectionError, parse_fields
from fake_google_drive.tree import Tree

__all__ = ["Call", "read_fields", "require_known"]

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
    """A request that is allowed in."""

    google: FakeGoogle
    grant: Grant
    request: Request
    parameters: Mapping[str, str]
    fields: Selection | None
    fault: Fault | None

    @property
    def user(self) -> str:
        """Return who asks."""
        return self.grant.user

    @property
    def tree(self) -> Tree:
        """Return the items."""
        return self.google.drive.tree

    @property
    def viewer(self) -> Viewer:
        """Return how the user sees the items."""
        return Viewer(self.tree, self.user, str(self.request.base_url).rstrip("/"))

    def text(self, name: str) -> str | None:
        """Return a parameter, or by its old name."""
        old = _OLD_NAMES.get(name, name)
        return self.parameters.get(name, self.parameters.get(old)) or None

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a yes or no."""
        value = self.text(name)
        return default if value is None else value.lower() == "true"

    def page_size(self, default: int, top: int) -> int:
        """Return how many are wanted at most; more than the top is the top."""
        value = self.text("pageSize")
        if value is None:
            return default
        if not value.isdecimal() or int(value) < 1:
            message = f"Invalid value '{value}'. Values must be within the range: [1, {top}]"
            raise DriveError(400, "invalidParameter", message, location="pageSize")
        return min(int(value), top)

    def item(self, file_id: str) -> Item:
        """Return an item that the user sees; `root` is the user's My Drive."""
        item = self.tree.my_drives[self.user] if file_id == "root" else self.tree.items.get(file_id)
        if item is None or not self.tree.is_visible(item, self.user):
            raise DriveError.file_not_found(file_id)
        return item

    def shared_drive(self, drive_id: str) -> SharedDrive:
        """Return a shared drive that the user is a member of."""
        drive = self.tree.shared_drives.get(drive_id)
        if drive is None:
            raise DriveError.drive_not_found(drive_id)
        if self.user not in drive.members:
            message = "The attempted action requires shared drive membership."
            raise DriveError(403, "teamDriveMembershipRequired", message)
        return drive


def require_known(method: str, parameters: Mapping[str, str]) -> None:
    """Refuse a parameter that the method does not have, or a yes or no that is neither."""
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
    """Return what is wanted of the answer."""
    if not text:
        return default
    try:
        return parse_fields(text, RESOURCES[resource])
    except SelectionError as error:
        message = f"Invalid field selection {error}"
        raise DriveError(400, "invalidParameter", message, location="fields") from None
