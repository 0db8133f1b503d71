"""Control of the double from other processes: actions by name, with plain values."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from pydantic import ConfigDict, ValidationError, validate_call

from fake_google_drive.faults import FaultKind
from fake_google_drive.google import FakeGoogle
from fake_google_drive.items import Item

__all__ = ["Control", "ControlError"]


class ControlError(ValueError):
    """The action does not exist, or its arguments are invalid."""


class Control:
    """The actions: every public method except `do`. Arguments are ids and text."""

    def __init__(self, google: FakeGoogle) -> None:
        self._google = google
        self._drive = google.drive

    def do(self, action: str, arguments: dict[str, Any]) -> Any:
        """Perform an action; return the id of the item, or the result. Raises `ControlError`."""
        if action not in _ACTIONS:
            raise ControlError(f"Unknown action {action!r}. Actions: {', '.join(_ACTIONS)}.")
        try:
            found = _ACTIONS[action](self, **arguments)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(each) for each in first["loc"] if each != 0)
            raise ControlError(f"{action}: {where}: {first['msg']}") from None
        except KeyError as error:
            raise ControlError(f"{action}: {error} does not exist") from None
        except ValueError as error:
            raise ControlError(f"{action}: {error}") from None
        return found.id if isinstance(found, Item) else found

    def my_drive(self, user: str) -> Item:
        """Return the root of a user's My Drive."""
        return self._drive.my_drive(user)

    def shared_drive(self, name: str, members: list[str]) -> Item:
        """Create a shared drive with members, and return its root."""
        return self._drive.shared_drive(name, members)

    def add_member(self, drive: str, user: str) -> None:
        """Add a user to a shared drive."""
        self._drive.add_member(drive, user)

    def remove_member(self, drive: str, user: str) -> None:
        """Remove a user from a shared drive."""
        self._drive.remove_member(drive, user)

    def rename_drive(self, drive: str, name: str) -> None:
        """Rename a shared drive."""
        self._drive.rename_drive(drive, name)

    def create(
        self, name: str, parent: str, content: str = "", mime_type: str | None = None
    ) -> Item:
        """Create a file with text as its content."""
        return self._drive.create(name, parent, content, mime_type=mime_type)

    def create_folder(self, name: str, parent: str) -> Item:
        """Create a folder."""
        return self._drive.create_folder(name, parent)

    def create_native(
        self, name: str, parent: str, mime_type: str, exports: dict[str, str]
    ) -> Item:
        """Create a Google document; `exports` has its content by media type."""
        return self._drive.create_native(name, parent, mime_type, exports)

    def create_shortcut(self, target: str, parent: str, name: str | None = None) -> Item:
        """Create a shortcut to an item."""
        return self._drive.create_shortcut(target, parent, name)

    def write(self, item: str, content: str) -> None:
        """Replace a file's content."""
        self._drive.write(item, content)

    def write_native(self, item: str, exports: dict[str, str]) -> None:
        """Replace the exports of a Google document."""
        self._drive.write_native(item, exports)

    def touch(self, item: str) -> None:
        """Raise an item's version without a visible change."""
        self._drive.touch(item)

    def rename(self, item: str, name: str) -> None:
        """Rename an item."""
        self._drive.rename(item, name)

    def move(self, item: str, parent: str) -> None:
        """Move an item into another folder."""
        self._drive.move(item, parent)

    def trash(self, item: str) -> None:
        """Move an item to the trash."""
        self._drive.trash(item)

    def untrash(self, item: str) -> None:
        """Restore an item from the trash."""
        self._drive.untrash(item)

    def delete(self, item: str) -> None:
        """Delete an item permanently."""
        self._drive.delete(item)

    def share(self, item: str, user: str) -> None:
        """Share an item with a user."""
        self._drive.share(item, user)

    def unshare(self, item: str, user: str) -> None:
        """Undo `share`."""
        self._drive.unshare(item, user)

    def share_by_link(self, item: str) -> str:
        """Share an item with everyone who has the link; return its resource key."""
        return self._drive.share_by_link(item)

    def unshare_by_link(self, item: str) -> None:
        """Undo `share_by_link`."""
        self._drive.unshare_by_link(item)

    def set_downloadable(self, item: str, allowed: bool) -> None:
        """Allow or forbid the download of a file."""
        self._drive.set_downloadable(item, allowed)

    def flag_as_abusive(self, item: str) -> None:
        """Mark a file as malware."""
        self._drive.flag_as_abusive(item)

    def set_lag(self, ticks: int) -> None:
        """Delay future changes in the logs by `ticks` calls of `tick`."""
        self._drive.logs.lag = ticks

    def tick(self, times: int = 1) -> None:
        """Advance the logs that lag by `times` ticks."""
        self._drive.tick(times)

    def catch_up(self) -> None:
        """Make all pending changes appear in the logs."""
        self._drive.catch_up()

    def fail(
        self,
        method: str,
        kind: FaultKind,
        *,
        times: int | None = 1,
        after: int = 0,
        file_id: str | None = None,
        user: str | None = None,
        seconds: float | None = None,
    ) -> None:
        """Make requests fail; see `FakeGoogle.fail`."""
        self._google.fail(
            method, kind, times=times, after=after, file_id=file_id, user=user, seconds=seconds
        )

    def heal(self) -> None:
        """Remove all faults."""
        self._google.faults.clear()

    def expire_page_tokens(self) -> None:
        """Make all page tokens of the change logs expire."""
        self._drive.expire_page_tokens()

    def expire_access_tokens(self) -> None:
        """Make all access tokens expire."""
        self._google.oauth.expire_access_tokens()

    def revoke(self, user: str) -> None:
        """Revoke a user's tokens."""
        self._google.oauth.revoke(user)

    def consent(self, user: str | None) -> None:
        """Set the user who consents in the browser; `None` refuses."""
        self._google.oauth.consents.user = user

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests since the last call, oldest first."""
        found = [request._asdict() for request in self._google.requests]
        self._google.requests.clear()
        return found


_checked = validate_call(config=ConfigDict(arbitrary_types_allowed=True))
_ACTIONS: dict[str, Callable[..., Any]] = {
    name: _checked(method)
    for name, method in inspect.getmembers(Control, inspect.isfunction)
    if not name.startswith("_") and name != "do"
}
