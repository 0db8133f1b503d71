"""Steering a double from outside: what can be asked for, by name, with plain values."""

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
    """What was asked for does not exist, or cannot be done."""


class Control:
    """Each public method is an action; ids stand for items, text for contents."""

    def __init__(self, google: FakeGoogle) -> None:
        self._google = google
        self._drive = google.drive

    def do(self, action: str, arguments: dict[str, Any]) -> Any:
        """Do what is asked for; return an id, or whatever there is to tell."""
        if action not in _ACTIONS:
            raise ControlError(f"There is no action {action!r}. There are: {', '.join(_ACTIONS)}.")
        try:
            found = _ACTIONS[action](self, **arguments)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(each) for each in first["loc"] if each != 0)
            raise ControlError(f"{action}: {where}: {first['msg']}") from None
        except KeyError as error:
            raise ControlError(f"{action}: there is no {error}") from None
        except ValueError as error:
            raise ControlError(f"{action}: {error}") from None
        return found.id if isinstance(found, Item) else found

    def my_drive(self, user: str) -> Item:
        """Return the root of a user's My Drive."""
        return self._drive.my_drive(user)

    def shared_drive(self, name: str, members: list[str]) -> Item:
        """Make a shared drive."""
        return self._drive.shared_drive(name, members)

    def add_member(self, drive: str, user: str) -> None:
        """Let a user into a shared drive."""
        self._drive.add_member(drive, user)

    def remove_member(self, drive: str, user: str) -> None:
        """Shut a user out of a shared drive."""
        self._drive.remove_member(drive, user)

    def rename_drive(self, drive: str, name: str) -> None:
        """Give a shared drive another name."""
        self._drive.rename_drive(drive, name)

    def create(
        self, name: str, parent: str, content: str = "", mime_type: str | None = None
    ) -> Item:
        """Upload a file."""
        return self._drive.create(name, parent, content, mime_type=mime_type)

    def create_folder(self, name: str, parent: str) -> Item:
        """Make a folder."""
        return self._drive.create_folder(name, parent)

    def create_native(
        self, name: str, parent: str, mime_type: str, exports: dict[str, str]
    ) -> Item:
        """Make one of Google's own documents: what it exports to, by media type."""
        return self._drive.create_native(name, parent, mime_type, exports)

    def create_shortcut(self, target: str, parent: str, name: str | None = None) -> Item:
        """Make a shortcut."""
        return self._drive.create_shortcut(target, parent, name)

    def write(self, item: str, content: str) -> None:
        """Give a file other bytes."""
        self._drive.write(item, content)

    def write_native(self, item: str, exports: dict[str, str]) -> None:
        """Edit one of Google's own documents."""
        self._drive.write_native(item, exports)

    def touch(self, item: str) -> None:
        """Change what nobody sees."""
        self._drive.touch(item)

    def rename(self, item: str, name: str) -> None:
        """Give an item another name."""
        self._drive.rename(item, name)

    def move(self, item: str, parent: str) -> None:
        """Put an item into another folder."""
        self._drive.move(item, parent)

    def trash(self, item: str) -> None:
        """Trash an item."""
        self._drive.trash(item)

    def untrash(self, item: str) -> None:
        """Take an item out of the trash."""
        self._drive.untrash(item)

    def delete(self, item: str) -> None:
        """Delete an item for ever."""
        self._drive.delete(item)

    def share(self, item: str, user: str) -> None:
        """Let a user see an item."""
        self._drive.share(item, user)

    def unshare(self, item: str, user: str) -> None:
        """Take back what `share` gave."""
        self._drive.unshare(item, user)

    def set_downloadable(self, item: str, allowed: bool) -> None:
        """Allow or forbid to download a file."""
        self._drive.set_downloadable(item, allowed)

    def flag_as_abusive(self, item: str) -> None:
        """Mark a file as malware."""
        self._drive.flag_as_abusive(item)

    def set_lag(self, ticks: int) -> None:
        """Let changes to come appear so many ticks late."""
        self._drive.logs.lag = ticks

    def tick(self, times: int = 1) -> None:
        """Let time pass for logs that lag."""
        self._drive.tick(times)

    def catch_up(self) -> None:
        """Let every log tell all it has to."""
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
        """Let requests go wrong."""
        self._google.fail(
            method, kind, times=times, after=after, file_id=file_id, user=user, seconds=seconds
        )

    def heal(self) -> None:
        """Let everything go well from now on."""
        self._google.faults.clear()

    def expire_page_tokens(self) -> None:
        """Let every change log refuse the tokens that it has given."""
        self._drive.expire_page_tokens()

    def expire_access_tokens(self) -> None:
        """Let every access token be refused."""
        self._google.oauth.expire_access_tokens()

    def revoke(self, user: str) -> None:
        """Take back a user's consent."""
        self._google.oauth.revoke(user)

    def consent(self, user: str | None) -> None:
        """Let this user sit at the browser; nobody refuses."""
        self._google.oauth.consents.user = user

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests so far, oldest first, and forget them."""
        found = [request._asdict() for request in self._google.requests]
        self._google.requests.clear()
        return found


_checked = validate_call(config=ConfigDict(arbitrary_types_allowed=True))
_ACTIONS: dict[str, Callable[..., Any]] = {
    name: _checked(method)
    for name, method in inspect.getmembers(Control, inspect.isfunction)
    if not name.startswith("_") and name != "do"
}
