"""A user's consent in a browser: the authorization endpoint and its codes."""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

__all__ = ["Consent", "ConsentRefused", "Consents"]

CODE_SECONDS = 600
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class ConsentRefused(ValueError):
    """A request for consent, or a code, is invalid."""


@dataclass(frozen=True, slots=True)
class Consent:
    """A granted consent, stored until its code is redeemed."""

    user: str
    scopes: frozenset[str]
    redirect_uri: str
    challenge: str
    is_offline: bool
    expires: float


class Consents:
    """The consents of one desktop client.

    `user` is the user at the browser; with `None`, consent is refused. `now` returns seconds.
    """

    def __init__(self, client_id: str, now: Callable[[], float]) -> None:
        self.user: str | None = None
        self._client_id = client_id
        self._now = now
        self._codes: dict[str, Consent] = {}

    def ask(self, asked: Mapping[str, str]) -> str:
        """Return the redirect address; raise `ConsentRefused` if there is no valid one."""
        redirect = asked.get("redirect_uri", "")
        if asked.get("client_id") != self._client_id:
            raise ConsentRefused("invalid_client: The OAuth client was not found.")
        if urlsplit(redirect).scheme != "http" or urlsplit(redirect).hostname not in _LOOPBACK:
            raise ConsentRefused("redirect_uri_mismatch")
        answer = {"state": asked["state"]} if "state" in asked else {}
        if asked.get("response_type") != "code" or not asked.get("scope"):
            answer["error"] = "invalid_request"
        elif self.user is None:
            answer["error"] = "access_denied"
        else:
            answer |= {"code": self._code(self.user, asked, redirect), "scope": asked["scope"]}
        return f"{redirect}?{urlencode(answer)}"

    def redeem(self, form: Mapping[str, str]) -> Consent:
        """Return the consent of a code and invalidate the code; raise `ConsentRefused`."""
        consent = self._codes.pop(form.get("code", ""), None)
        if consent is None or self._now() > consent.expires:
            raise ConsentRefused("Malformed auth code.")
        if form.get("redirect_uri") != consent.redirect_uri:
            raise ConsentRefused("redirect_uri_mismatch")
        verified = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = urlsafe_b64encode(verified).rstrip(b"=").decode()
        if consent.challenge and not secrets.compare_digest(consent.challenge, challenge):
            raise ConsentRefused("Invalid code verifier.")
        return consent

    def _code(self, user: str, asked: Mapping[str, str], redirect: str) -> str:
        code = f"4/{secrets.token_urlsafe(32)}"
        self._codes[code] = Consent(
            user,
            frozenset(asked["scope"].split()),
            redirect,
            asked.get("code_challenge", ""),
            asked.get("access_type") == "offline",
            self._now() + CODE_SECONDS,
        )
        return code
