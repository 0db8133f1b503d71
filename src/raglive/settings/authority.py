"""The user, password and hosts of an address, as `user:password@host:port,host:port`."""

from __future__ import annotations

import re

__all__ = ["require_usable_authority"]

_ENCODE = (
    "it has a character that must be percent-encoded, probably in the password: "
    "write / as %2F, ? as %3F, # as %23, [ as %5B, ] as %5D, @ as %40, % as %25"
)
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]*\]|[^\[\]:]*)(?::([0-9]{1,5}))?")


def require_usable_authority(rest: str, form: str) -> None:
    """Check the part of an address after `://`; `form` is an example of a right address.

    Raises ValueError with a message that contains no part of the address.
    """
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    _require_encoded(authority, rest)
    for host in authority.rpartition("@")[2].split(","):
        match = _HOST.fullmatch(host)
        if match is None or (match[1] and not 0 < int(match[1]) < 65536):
            raise ValueError(f"its host or port cannot be used. {form}")


def _require_encoded(authority: str, rest: str) -> None:
    """Refuse an address that is cut at the wrong place, because of a character in its password."""
    user, _, _ = authority.rpartition("@")
    is_cut = "@" in rest[len(authority) :] or "@" in user or "#" in rest
    if is_cut or re.search(r"[\[\]\s\x00-\x1f]|%(?![0-9A-Fa-f]{2})", user):
        raise ValueError(_ENCODE)
