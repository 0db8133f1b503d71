"""Push channels: subscriptions to the growth of a change log, with an expiration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from hashlib import blake2b
from typing import Any

from fake_google_drive.errors import DriveError
from fake_google_drive.tree import Corpus

__all__ = ["PushChannel", "PushChannels"]

DEFAULT_SECONDS = 3600
MAX_SECONDS = 7 * 24 * 3600


@dataclass(slots=True)
class PushChannel:
    """A subscription; `expiration` is in milliseconds since 1970."""

    id: str
    address: str
    token: str | None
    user: str
    corpus: Corpus
    resource_id: str
    resource_uri: str
    expiration: int
    messages: int = 0

    def resource(self) -> dict[str, Any]:
        """Return the channel as JSON of Google's interface."""
        found = {
            "kind": "api#channel",
            "id": self.id,
            "resourceId": self.resource_id,
            "resourceUri": self.resource_uri,
            "expiration": str(self.expiration),
        }
        return found if self.token is None else found | {"token": self.token}

    def headers(self, state: str) -> dict[str, str]:
        """Return the headers of the next message, and count it."""
        self.messages += 1
        found = {
            "Content-Type": "application/json; utf-8",
            "X-Goog-Channel-ID": self.id,
            "X-Goog-Channel-Expiration": formatdate(self.expiration / 1000, usegmt=True),
            "X-Goog-Resource-ID": self.resource_id,
            "X-Goog-Resource-URI": self.resource_uri,
            "X-Goog-Resource-State": state,
            "X-Goog-Message-Number": str(self.messages),
        }
        return found if self.token is None else found | {"X-Goog-Channel-Token": self.token}


class PushChannels:
    """All open channels; `now` returns seconds, `on_open` is called for each new channel."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.on_open: Callable[[PushChannel], None] | None = None
        self._now = now
        self._open: dict[str, PushChannel] = {}

    def open(self, wanted: dict[str, Any], user: str, corpus: Corpus, uri: str) -> PushChannel:
        """Open the channel that a request describes; raise `DriveError` if it is invalid."""
        for name in ("id", "type", "address"):
            if not isinstance(wanted.get(name), str) or not wanted[name]:
                raise DriveError.required(name)
        if wanted["type"] not in {"web_hook", "webhook"}:
            raise DriveError.bad_request(f"Unknown channel type: {wanted['type']}")
        if wanted["id"] in self._open:
            message = f"Channel id {wanted['id']} not unique"
            raise DriveError(400, "channelIdNotUnique", message)
        resource = blake2b(f"{user} {corpus}".encode(), digest_size=16).hexdigest()
        channel = PushChannel(
            wanted["id"], wanted["address"], wanted.get("token"), user, corpus, resource, uri,
            self._expiration(wanted.get("expiration")),
        )  # fmt: skip
        self._open[channel.id] = channel
        if self.on_open is not None:
            self.on_open(channel)
        return channel

    def close(self, channel_id: str, resource_id: str) -> None:
        """Close a channel; raise `DriveError` if it does not exist."""
        channel = self._open.get(channel_id)
        if channel is None or channel.resource_id != resource_id:
            message = f"Channel '{channel_id}' not found for project"
            raise DriveError(404, "notFound", message)
        del self._open[channel_id]

    def of(self, corpus: Corpus) -> list[PushChannel]:
        """Return the open channels of a log, and drop expired ones."""
        at = self._now() * 1000
        self._open = {key: each for key, each in self._open.items() if at < each.expiration}
        return [channel for channel in self._open.values() if channel.corpus == corpus]

    def _expiration(self, wanted: Any) -> int:
        now = int(self._now() * 1000)
        if wanted is None:
            return now + DEFAULT_SECONDS * 1000
        try:
            at = int(wanted)
        except (TypeError, ValueError):
            raise DriveError.invalid("expiration") from None
        if at <= now:
            raise DriveError.invalid("expiration")
        return min(at, now + MAX_SECONDS * 1000)
